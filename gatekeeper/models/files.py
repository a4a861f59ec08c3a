"""Model files: which inspector reads one, and its identity by content."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, cast

from gatekeeper.errors import UsageError
from gatekeeper.files import check_name
from gatekeeper.models.adapters import adapter
from gatekeeper.models.info import Assessment
from gatekeeper.models.submodules import left_out
from gatekeeper.registry import Registry

FORMATS = Registry("models.formats")


class Inspector(Protocol):
    """The shape of a module in gatekeeper/models/formats."""

    SUFFIXES: tuple[str, ...]

    @staticmethod
    def inspect(path: Path) -> Assessment:
        """Characteristics of a model; `NotMeasured` (kind model) if it is not one."""


class FolderInspector(Inspector, Protocol):
    """One whose models are folders: what they are called, the file that makes a folder one, and what all is in it."""

    DESCRIPTION: str
    MARKER: str
    HOLDS: str


def model_format(path: Path) -> str | None:
    """The format a file's name or a folder's content says, None if no inspector reads it."""
    folder = is_folder(path)
    for name in FORMATS.names:
        inspector = FORMATS.get(name)
        if folder:
            if hasattr(inspector, "MARKER") and there(path / inspector.MARKER):
                return name
        elif path.suffix.lower() in inspector.SUFFIXES:
            return name
    return None


def assess(path: Path) -> Assessment:
    """Inspect a model file or folder; a missing one or an unknown format is a `UsageError`."""
    if said := left_out(path):
        raise UsageError(said)
    if not there(path):
        raise UsageError(f"{path}: no such model. Check the path, or export the model first.")
    check_name(path)
    name = model_format(path)
    if name is None:
        raise UsageError(f"{path}: {unknown_format(path)}")
    return cast(Inspector, FORMATS.get(name)).inspect(path)


def unknown_format(path: Path) -> str:
    """What to say of a path whose `model_format` is None."""
    if said := adapter(path):
        return said
    if is_folder(path):
        kinds = _folder_formats()
        markers, content = " or ".join(kind.MARKER for kind in kinds), "; or ".join(kind.HOLDS for kind in kinds)
        files = ", ".join(known_suffixes())
        return f"a folder without {markers}. A model folder holds {content}. Name such a folder, or a model file: {files}."
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
    return ", ".join([*known_suffixes(), *(f"{kind.DESCRIPTION} (with {kind.MARKER})" for kind in _folder_formats())])


def _folder_formats() -> list[FolderInspector]:
    """Inspectors of models that are folders."""
    return [cast(FolderInspector, FORMATS.get(name)) for name in FORMATS.names if hasattr(FORMATS.get(name), "MARKER")]


def digest(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_files(files: list[Path], digest: Callable[[Path], str] = digest) -> str:
    """Identity of a model: the SHA-256 of its file, or, where it is several, of their names and digests.

    A name is the path below the folder they share. In the order of the names: an artifact that comes back as the model
    to assess is still the same.
    """
    if len(files) == 1:
        return digest(files[0])
    return digest_named(digests_of(files, digest))


def digests_of(files: list[Path], digest: Callable[[Path], str] = digest) -> dict[str, str]:
    """SHA-256 of each, by its path below the folder they share."""
    places = [file.absolute() for file in files]  # links stay: a name is what users see
    shared = os.path.commonpath([place.parent for place in places])
    named = sorted(zip((place.relative_to(shared).as_posix() for place in places), files, strict=True))
    return {name: digest(file) for name, file in named}


def digest_named(files: Mapping[str, str]) -> str:
    """The same of several files whose digests are known, by their names below the folder they share."""
    import hashlib

    lines = "".join(f"{found}  {_one_line(name)}\n" for name, found in sorted(files.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _one_line(name: str) -> str:
    """A file name as sha256sum writes it: no name can look like another line."""
    return name.replace("\\", "\\\\").replace("\n", "\\n")
