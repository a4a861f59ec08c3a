"""What takes long and is looked at by many is made once, whichever of the processes that run the tests comes first."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

SHARED = "GATEKEEPER_TESTS_SHARED"
"""A folder that outlives one call of pytest: `make test` makes two."""


class Once:
    """Folders by name. Each is filled by whoever asks for it first; the others wait, and find it."""

    def __init__(self, tmp_path_factory: pytest.TempPathFactory):
        base = tmp_path_factory.getbasetemp()
        own = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        self.root = Path(os.environ.get(SHARED) or own / "shared")
        self.root.mkdir(parents=True, exist_ok=True)

    def __call__(self, name: str, fill: Callable[[Path], object]) -> Path:
        """The folder of this name. Where filling it fails, the next one to ask tries again."""
        folder, done = self.root / name, self.root / f"{name}.done"
        with FileLock(self.root / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder
