"""What keeps a core busy: in a module of its own, which a process that is started anew can import."""

from __future__ import annotations


def spin() -> None:
    """For ever."""
    while True:
        pass
