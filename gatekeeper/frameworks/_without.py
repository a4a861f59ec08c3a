"""Packages as if they were not installed, for what imports them only because they are there."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Finder:
    """A finder of modules that does not find some."""

    def __init__(self, finder: Any, packages: Sequence[str]):
        self.finder, self.packages = finder, packages

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name in self.packages or not hasattr(self.finder, "find_spec"):
            return None
        spec: ModuleSpec | None = self.finder.find_spec(name, path, target)
        return spec


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Nothing imports these meanwhile; what somebody imported before stays.

    NNCF, and what ONNX Runtime has for quantizers, import PyTorch where they find it, for models that are not ours: it takes
    several times as long as all else that a worker does to a small model.
    """
    sys.meta_path[:] = [_Finder(finder, packages) for finder in sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path[:] = [each.finder if isinstance(each, _Finder) else each for each in sys.meta_path]
