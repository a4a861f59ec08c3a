"""The base of a change as a tree of files: a commit of the user's own git, or a folder in which one is checked out."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from gatekeeper.config.git import read_at
from gatekeeper.config.source import MAX_BYTES
from gatekeeper.config.tree import MOST_FILES, digests_at, grep_at, renamed_from
from gatekeeper.data.content import digest_or_oid, of_folder

MARK = b"edge_ai_pipeline"
SUFFIXES = (".yaml", ".yml")
MOST = 500
"""Pipeline files that are looked at."""


class Base(Protocol):
    """Paths are from its root, with slashes."""

    name: str

    def read(self, path: str) -> bytes | None:
        """A file of text; None where it is not there."""

    def pipelines(self) -> list[str]:
        """Files that look like pipeline files."""

    def renamed(self, path: str) -> str:
        """What a file here was called there, where that is known."""

    def digests(self, path: str) -> dict[str, str]:
        """SHA-256 of a file (by no name), or of all files of a folder by their names from there; empty where nothing is there."""


class Commit:
    """A commit, seen from the repository's root."""

    def __init__(self, root: Path, commit: str, name: str):
        self.root, self.commit, self.name = root, commit, name

    def read(self, path: str) -> bytes | None:
        """The blob."""
        return read_at(self.root, self.commit, path)

    def pipelines(self) -> list[str]:
        """Found by `git grep`."""
        return grep_at(self.root, self.commit, MARK.decode(), [f"*{suffix}" for suffix in SUFFIXES])[:MOST]

    def renamed(self, path: str) -> str:
        """As `git diff` finds renames."""
        return renamed_from(self.root, self.commit, path)

    def digests(self, path: str) -> dict[str, str]:
        """Of blobs; of Git LFS pointers what they name."""
        found = digests_at(self.root, self.commit, path)
        return {"" if name == path else posixpath.relpath(name, path): each for name, each in found.items()}


class Checkout:
    """A folder with a checkout of the base."""

    def __init__(self, root: Path):
        self.root, self.name = root, root.as_posix()

    def read(self, path: str) -> bytes | None:
        """The file."""
        place = self._place(path)
        return place.read_bytes()[: MAX_BYTES + 1] if place and place.is_file() else None

    def pipelines(self) -> list[str]:
        """Found by looking into all of them."""
        return sorted(self._pipelines())[:MOST]

    def _pipelines(self) -> Iterator[str]:
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name != ".git"]
            for name in names:
                place = Path(folder, name)
                if (
                    place.suffix in SUFFIXES
                    and place.is_file()
                    and place.stat().st_size <= MAX_BYTES
                    and MARK in place.read_bytes()
                ):
                    yield place.relative_to(self.root).as_posix()

    def renamed(self, path: str) -> str:
        """Nothing tells."""
        return ""

    def digests(self, path: str) -> dict[str, str]:
        """Of files; of Git LFS pointers what they name."""
        place = self._place(path)
        if place is None or not place.exists():
            return {}
        if place.is_file():
            return {"": digest_or_oid(place)}
        inside = [file for file in sorted(place.rglob("*")) if file.is_file()]
        return {file.relative_to(place).as_posix(): digest_or_oid(file) for file in inside[:MOST_FILES]}

    def _place(self, path: str) -> Path | None:
        return None if posixpath.isabs(path) else self.root / path


def content_at(base: Base, path: str, beside: str | None = None) -> str:
    """The digest of a set, as gatekeeper/data/content.py has it; empty where it is not there."""
    found = base.digests(path)
    if "" in found or not found:
        return found.get("", "")
    if beside and beside not in found and (other := base.digests(posixpath.normpath(posixpath.join(path, "..", beside)))):
        found |= {f"../{beside}": other[""]} if "" in other else {}
    return of_folder(found)
