"""Work kept by content: the same input, options and versions are never worked on twice.

An entry is a folder named by its key. It appears by one rename when it is complete, and its files' digests are
checked when it is read; a damaged entry is thrown away and made again. So is one that this cache's owner has not written: what an
entry says is signed (HMAC, RFC 2104) with a key that lies in the cache's folder, and that no worker can read.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.files import check_name
from gatekeeper.models.files import digest
from gatekeeper.process.scratch import scratch_folder
from gatekeeper.records.base import Record

ENTRY = "entry.json"
SIGNED = "entry.hmac"
KEY = ".key"
KEY_BYTES = 32


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
        self.key = self.folder / KEY

    @cached_property
    def _secret(self) -> bytes:
        """What entries are signed with, made where there is none; runs that begin at once agree on one."""
        try:
            if not _private(self.key):
                descriptor, new = tempfile.mkstemp(dir=self.folder, prefix=KEY)  # that only this user can read
                with os.fdopen(descriptor, "wb") as file:
                    file.write(secrets.token_bytes(KEY_BYTES))
                _first(Path(new), self.key)
            return self.key.read_bytes()
        except OSError as error:
            raise UsageError(f"{self.key}: {error.strerror}. Choose another folder for the cache with --cache-dir.") from None

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
                files = {f.name: digest(f) for f in sorted(temporary.iterdir()) if _inside(temporary, f.name)}
                entry = Entry(files=files, meta=meta)
                content = msgspec.json.encode(entry)
                (temporary / ENTRY).write_bytes(content)
                (temporary / SIGNED).write_bytes(self._signature(final, content))
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
            content, signature = (folder / ENTRY).read_bytes(), (folder / SIGNED).read_bytes()
            if not hmac.compare_digest(signature, self._signature(folder, content)):
                return None
            entry = msgspec.json.decode(content, type=Entry)
            intact = all(_inside(folder, name) and digest(folder / name) == sha256 for name, sha256 in entry.files.items())
        except (OSError, ValueError, RecursionError, msgspec.DecodeError):
            return None
        return entry if intact else None

    def _signature(self, folder: Path, content: bytes) -> bytes:
        """Of what an entry says, at its place: one that was moved is none."""
        place = f"{folder.parent.name}/{folder.name}\n".encode()
        return hmac.digest(self._secret, place + content, "sha256")


def _inside(folder: Path, name: str) -> bool:
    """Whether it is a file of the entry itself: no path that leads away, no link."""
    return Path(name).name == name and (folder / name).is_file() and not (folder / name).is_symlink()


def _private(key: Path) -> bool:
    """Whether it is a whole key that only this user can read; what is none goes."""
    try:
        state = key.lstat()
    except FileNotFoundError:
        return False
    own = os.name != "posix" or (state.st_uid == os.geteuid() and not state.st_mode & 0o077)
    if stat.S_ISREG(state.st_mode) and state.st_size == KEY_BYTES and own:
        return True
    key.unlink(missing_ok=True)
    return False


def _first(new: Path, key: Path) -> None:
    """Put a new key in place unless another run's is there."""
    try:
        os.link(new, key)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        new.replace(key)
        return
    new.unlink()


def default_folder() -> Path:
    """The user's cache folder; GATEKEEPER_CACHE overrides it."""
    if os.environ.get("GATEKEEPER_CACHE"):
        return Path(os.environ["GATEKEEPER_CACHE"])
    import platformdirs

    return Path(platformdirs.user_cache_dir("gatekeeper", appauthor=False))
