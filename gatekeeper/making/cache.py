"""Work kept by content: the same input, options and versions are never worked on twice.

An entry is a folder named by its key. It appears by one rename when it is complete, and its files' digests are
checked when it is read; a damaged entry is thrown away and made again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.files import check_name
from gatekeeper.models.files import digest
from gatekeeper.process.scratch import scratch_folder
from gatekeeper.records.base import Record

ENTRY = "entry.json"


class Entry(Record, frozen=True, kw_only=True):
    """What a complete entry holds: file name -> SHA-256, and what the maker had to say."""

    files: dict[str, str]
    meta: dict[str, Any] = {}


class Cache:
    """A folder of entries, shared by runs; two runs may make the same entry at once, and one of them wins."""

    def __init__(self, folder: Path):
        check_name(folder)
        self.folder = folder.resolve()  # workers have a working folder of their own
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{folder}: the cache cannot be written: {error.strerror}. Choose another with --cache-dir."
            ) from None

    def get_or_make(self, kind: str, key: dict[str, Any], make: Callable[[Path], dict[str, Any]]) -> tuple[Path, Entry, bool]:
        """The entry's folder and contents, and whether it was already there.

        `make(folder)` fills an empty folder and returns what to remember; if it fails nothing is kept.
        """
        name = hashlib.sha256(msgspec.json.encode(key, order="deterministic")).hexdigest()
        final = self.folder / kind / name
        kept = self._read(final)
        if kept is not None:
            return final, kept, True
        with ExitStack() as stack:
            try:
                final.parent.mkdir(parents=True, exist_ok=True)
                temporary = stack.enter_context(scratch_folder(final.parent, ".making-"))
            except OSError as error:
                raise NotMeasured(
                    "disk", f"{final.parent}: cannot be written: {error.strerror}. Choose another with --cache-dir."
                ) from None
            try:
                meta = make(temporary)
                files = {f.name: digest(f) for f in sorted(temporary.iterdir()) if f.is_file()}
                entry = Entry(files=files, meta=meta)
                (temporary / ENTRY).write_bytes(msgspec.json.encode(entry))
                self._commit(temporary, final)
            except OSError as error:
                raise NotMeasured(
                    "disk", f"{error.filename or final}: {error.strerror}. Free some space or use --cache-dir."
                ) from None
            return final, self._read(final) or entry, False

    def _commit(self, temporary: Path, final: Path) -> None:
        try:
            temporary.rename(final)
        except OSError:
            if self._read(final) is None:  # not another run's complete entry: a damaged one in the way
                shutil.rmtree(final, ignore_errors=True)
                temporary.rename(final)

    def _read(self, folder: Path) -> Entry | None:
        try:
            entry = msgspec.json.decode((folder / ENTRY).read_bytes(), type=Entry)
            intact = all(digest(folder / name) == sha256 for name, sha256 in entry.files.items())
        except (OSError, ValueError, RecursionError, msgspec.DecodeError):
            return None
        return entry if intact else None


def default_folder() -> Path:
    """The user's cache folder; GATEKEEPER_CACHE overrides it."""
    if os.environ.get("GATEKEEPER_CACHE"):
        return Path(os.environ["GATEKEEPER_CACHE"])
    import platformdirs

    return Path(platformdirs.user_cache_dir("gatekeeper", appauthor=False))
