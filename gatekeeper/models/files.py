"""Model files: which inspector reads one, and its identity by content."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol, cast

from gatekeeper.errors import UsageError
from gatekeeper.models.info import Assessment
from gatekeeper.registry import Registry

FORMATS = Registry("models.formats")


class Inspector(Protocol):
    """The shape of a module in gatekeeper/models/formats."""

    SUFFIXES: tuple[str, ...]

    @staticmethod
    def inspect(path: Path) -> Assessment:
        """Characteristics of a model file; `NotMeasured` (kind model) if it is not one."""


def model_format(path: Path) -> str | None:
    """The format a file name says, None if no inspector reads it."""
    for name in FORMATS.names:
        if path.suffix.lower() in cast(Inspector, FORMATS.get(name)).SUFFIXES:
            return name
    return None


def assess(path: Path) -> Assessment:
    """Inspect a model file; a missing file or an unknown format is a `UsageError`."""
    if not there(path):
        raise UsageError(f"{path}: no such model. Check the path, or export the model first.")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder. This version reads model files: {', '.join(known_suffixes())}.")
    name = model_format(path)
    if name is None:
        raise UsageError(f"{path}: unknown model format '{path.suffix}'. This version reads {', '.join(known_suffixes())}.")
    return cast(Inspector, FORMATS.get(name)).inspect(path)


def there(path: Path) -> bool:
    """Whether a path exists; one that the system cannot even name does not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def known_suffixes() -> list[str]:
    """Every file suffix an inspector reads."""
    return [s for name in FORMATS.names for s in cast(Inspector, FORMATS.get(name)).SUFFIXES]


def digest(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_files(files: list[Path]) -> str:
    """Identity of a model: the SHA-256 of its file, or, with external weights, of its files' names and digests.

    In the order of the names: an artifact that comes back as the model to assess is still the same.
    """
    if len(files) == 1:
        return digest(files[0])
    lines = "".join(f"{digest(f)}  {f.name}\n" for f in sorted(files, key=lambda f: f.name))
    return hashlib.sha256(lines.encode()).hexdigest()
