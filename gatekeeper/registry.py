"""A folder is a registry: its file names are the names users write, imported only on lookup.

A third-party package adds a member with an entry point in the group `gatekeeper.<folder>`.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import sys
from collections.abc import Iterator
from functools import cache, cached_property
from types import ModuleType
from typing import TYPE_CHECKING

from gatekeeper.errors import UsageError, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Registry:
    """The members of the package `gatekeeper.<folder>`, listed without importing them."""

    def __init__(self, folder: str, needs: tuple[str, ...] = ()):
        """`needs` names what a member must have, so that one from elsewhere without it is refused by name."""
        self.folder, self.needs = folder, needs
        self.package = f"gatekeeper.{folder}"

    @cached_property
    def builtin(self) -> tuple[str, ...]:
        """Members that come with gatekeeper."""
        paths = importlib.import_module(self.package).__path__
        return tuple(sorted(m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_")))

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in _entry_points(tuple(sys.path)) if entry.group == self.package}

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
            if lacking := [each for each in self.needs if not hasattr(plugin, each)]:
                raise UsageError(f"the plugin '{name}' of {self.package} has no {' and no '.join(lacking)}. Repair or remove it.")
            return plugin
        raise UsageError(f"'{name}' is not one of {self.folder}: {', '.join(self.names)}{nearest(name, self.names) or '.'}")


def plugins() -> list[str]:
    """Members of every registry that other packages bring, by folder and name. Being imported is enough to run them."""
    found = [each for each in _entry_points(tuple(sys.path)) if each.group.startswith(OURS)]
    return sorted({f"{each.group.removeprefix(OURS)}/{each.name}" for each in found})


OURS = "gatekeeper."
GROUP = f"[{OURS}".encode()


@cache
def _entry_points(path: tuple[str, ...]) -> list[EntryPoint]:
    """Entry points of every group that begins with `gatekeeper.`; of a distribution that is there twice, the first one's.

    `importlib.metadata` reads the metadata of every distribution there is, for each group anew, and takes longer than all the
    rest of a light command. So only those are shown to it whose entry points speak of gatekeeper at all.
    """
    folders: dict[str, str] = {}
    for place in path:
        for folder in _distributions(place):
            folders.setdefault(_name(folder), folder)  # also one that says nothing hides what is behind it
    speaking = [folder for folder in folders.values() if _speaks(folder)]
    if not speaking:
        return []
    from importlib.metadata import Distribution
    from pathlib import Path

    return [entry for folder in speaking for entry in Distribution.at(Path(folder)).entry_points]


def _distributions(place: str) -> Iterator[str]:
    """Folders of metadata that installers left in one place of the import path."""
    try:
        with os.scandir(place or ".") as entries:
            yield from (entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info")))
    except OSError:
        return


def _name(folder: str) -> str:
    """Whose metadata a folder holds, however an installer spelt it: `My_Plugin-1.0.dist-info` is of my-plugin."""
    stem = os.path.basename(folder).rpartition(".")[0]  # noqa: PTH119
    return re.sub(r"[-_.]+", "-", stem.partition("-")[0]).lower()


def _speaks(folder: str) -> bool:
    try:
        with open(os.path.join(folder, "entry_points.txt"), "rb") as file:  # noqa: PTH118, PTH123  (pathlib costs as much again)
            return GROUP in file.read()
    except OSError:
        return False
