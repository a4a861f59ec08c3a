"""`python -m gatekeeper`."""

from gatekeeper.cli._main import main

main()
