"""Model files: which inspector reads one, and its identity by content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol, cast

from gatekeeper.errors import UsageError
from gatekeeper.models.info import Assessment
from gatekeeper.registry import Registry

FORMATS = Registry("models.formats")


class Inspector(Protocol):
    """The shape of a module in gatekeeper/models/formats.

    A format whose models are folders also has `MARKER`, the file that makes a folder one, and `DESCRIPTION`, what
    such a folder is called.
    """

    SUFFIXES: tuple[str, ...]

    @staticmethod
    def inspect(path: Path) -> Assessment:
        """Characteristics of a model file; `NotMeasured` (kind model) if it is not one."""


def model_format(path: Path) -> str | None:
    """The format a file's name or a folder's content says, None if no inspector reads it."""
    folder = is_folder(path)
    for name in FORMATS.names:
        inspector = cast(Inspector, FORMATS.get(name))
        if _marked(path, inspector) if folder else path.suffix.lower() in inspector.SUFFIXES:
            return name
    return None


def _marked(folder: Path, inspector: Inspector) -> bool:
    marker: str | None = getattr(inspector, "MARKER", None)
    return marker is not None and there(folder / marker)


def assess(path: Path) -> Assessment:
    """Inspect a model file or folder; a missing one or an unknown format is a `UsageError`."""
    if not there(path):
        raise UsageError(f"{path}: no such model. Check the path, or export the model first.")
    name = model_format(path)
    if name is None:
        raise UsageError(f"{path}: {unknown_format(path)}")
    return cast(Inspector, FORMATS.get(name)).inspect(path)


def unknown_format(path: Path) -> str:
    """What to say of a path whose `model_format` is None."""
    if is_folder(path):
        markers = " or ".join(FORMATS.get(name).MARKER for name in _of_folders())
        return f"a folder without {markers}, which is no model. This version reads {known_formats()}."
    hint = f" If it is part of the model in its folder, name the folder: {path.parent}." if model_format(path.parent) else ""
    return f"unknown model format '{path.suffix}'. This version reads {known_formats()}.{hint}"


def is_folder(path: Path) -> bool:
    """Whether there is a folder; one that the system cannot even name is not there."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def there(path: Path) -> bool:
    """Whether a path exists; one that the system cannot even name does not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def known_suffixes() -> list[str]:
    """Every file suffix an inspector reads."""
    return [s for name in FORMATS.names for s in cast(Inspector, FORMATS.get(name)).SUFFIXES]


def known_formats() -> str:
    """What this version reads, in words: suffixes of files, then kinds of folders."""
    return ", ".join([*known_suffixes(), *(FORMATS.get(name).DESCRIPTION for name in _of_folders())])


def _of_folders() -> list[str]:
    """Formats whose models are folders."""
    return [name for name in FORMATS.names if hasattr(FORMATS.get(name), "MARKER")]


def digest(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_files(files: list[Path]) -> str:
    """Identity of a model: the SHA-256 of its file, or, where it is several, of their names and digests.

    A name is the path below the folder they share. In the order of the names: an artifact that comes back as the model
    to assess is still the same.
    """
    if len(files) == 1:
        return digest(files[0])
    places = [Path(os.path.abspath(file)) for file in files]  # links stay: a name is what users see
    shared = os.path.commonpath([place.parent for place in places])
    named = sorted(zip((place.relative_to(shared).as_posix() for place in places), files, strict=True))
    lines = "".join(f"{digest(file)}  {_one_line(name)}\n" for name, file in named)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _one_line(name: str) -> str:
    """A file name as sha256sum writes it: no name can look like another line."""
    return name.replace("\\", "\\\\").replace("\n", "\\n")
