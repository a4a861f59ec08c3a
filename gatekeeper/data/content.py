"""What a set of data is, by the content of its files: the same wherever they lie and whatever time they were written.

A file's digest is what `sha256sum` prints, and what Git LFS calls its oid. That of a folder is of the lines `digest  name` of
all its files, in the order of their names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from gatekeeper.models.files import digest

MOST_POINTER = 1024
_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)


def content(path: Path, beside: str | None = None, read: Callable[[Path], str] = digest) -> str:
    """The digest of a file, or of a folder with the file `beside` it that belongs to it, if there is one."""
    if not path.is_dir():
        return read(path)
    return of_folder({name: read(file) for name, file in files(path, beside).items()})


def files(folder: Path, beside: str | None = None) -> dict[str, Path]:
    """The files of a folder, by their names from there."""
    found = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    if beside and beside not in found and (other := folder.parent / beside).is_file():
        found[f"../{beside}"] = other
    return found


def of_folder(digests: Mapping[str, str]) -> str:
    """One digest of several files', by name."""
    lines = sorted(f"{digest}  {_one_line(name)}\n" for name, digest in digests.items())
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def digest_or_oid(path: Path) -> str:
    """SHA-256 of a file; where Git LFS has left a pointer in its place, of the file that it stands for."""
    if path.stat().st_size <= MOST_POINTER and (oid := oid_of(path.read_bytes())):
        return oid
    return digest(path)


def oid_of(content: bytes) -> str:
    """The digest that a Git LFS pointer names; empty where this is none."""
    found = _OID.search(content) if content.startswith(b"version https://git-lfs") and len(content) <= MOST_POINTER else None
    return found[1].decode() if found else ""


def _one_line(name: str) -> str:
    return name.replace("\\", "\\\\").replace("\n", "\\n")
