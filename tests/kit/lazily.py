"""Large packages that a few tests need: whoever runs tests reads all files, and imports only what is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Lazily:
    """A module that is imported when something of it is first asked for."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_", "pytest")):  # as pytest asks of all that it finds in a file
            raise AttributeError(name)
        return getattr(import_module(self._name), name)
