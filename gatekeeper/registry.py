"""A folder is a registry: its file names are the names users write, imported only on lookup.

A third-party package adds a member with an entry point in the group `gatekeeper.<folder>`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING

from gatekeeper.errors import UsageError, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Registry:
    """The members of the package `gatekeeper.<folder>`, listed without importing them."""

    def __init__(self, folder: str):
        self.folder = folder
        self.package = f"gatekeeper.{folder}"

    @cached_property
    def builtin(self) -> tuple[str, ...]:
        """Members that come with gatekeeper."""
        paths = importlib.import_module(self.package).__path__
        return tuple(sorted(m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_")))

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        from importlib import metadata  # a third of the time of `gatekeeper --help`, so only where it is needed

        return {entry.name: entry for entry in metadata.entry_points(group=self.package)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All members, plugins included."""
        return tuple(sorted({*self.builtin, *self._plugins}))

    def get(self, name: str) -> ModuleType:
        """The module of that name; an unknown name is a `UsageError` that lists what exists."""
        if name in self.builtin:
            return importlib.import_module(f"{self.package}.{name}")
        if name in self._plugins:
            try:
                plugin = self._plugins[name].load()
            except Exception as error:  # anything may happen in a stranger's module
                reason = f"{type(error).__name__}: {error}"
                raise UsageError(
                    f"the plugin '{name}' of {self.package} cannot be imported ({reason}). Repair or remove it."
                ) from None
            if not isinstance(plugin, ModuleType):
                raise UsageError(f"the plugin '{name}' of {self.package} must name a module, not {plugin!r}.")
            return plugin
        raise UsageError(f"'{name}' is not one of {self.folder}: {', '.join(self.names)}{nearest(name, self.names) or '.'}")
