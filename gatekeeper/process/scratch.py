"""Temporary folders that go with their owner: when it is done, or, where it was killed, when the next one is made beside.

An owner holds a lock on a file in its folder. The system lets go of it when the process dies, however that happens, and no later
process can be taken for it, as one could by its number. A folder without that file was left by something else, and stays.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

PREFIX = "gatekeeper-"
OWNER = ".owner"
UNKNOWN = (OSError, NotImplementedError)
"""What a file system without locks answers: of its folders nothing is known, and nothing is removed."""


@contextmanager
def scratch_folder(parent: Path | None = None, prefix: str = PREFIX) -> Iterator[Path]:
    """An empty folder for the block; beside it, those of dead owners are removed. `OSError` where none can be made."""
    place = parent or Path(tempfile.gettempdir())
    remove_abandoned(place, prefix)
    outer, lock = _owned(place, prefix)
    folder = outer / "work"
    try:
        folder.mkdir()
        yield folder
    finally:
        if lock:
            lock.release()  # some systems do not remove a file that is open
        shutil.rmtree(outer, ignore_errors=True)


def remove_abandoned(place: Path, prefix: str = PREFIX) -> None:
    """Remove the folders whose owner is dead."""
    for folder in place.glob(f"{prefix}*"):
        if not _ours(folder):
            continue
        lock = filelock.FileLock(folder / OWNER)
        try:
            lock.acquire(timeout=0)
        except (filelock.Timeout, *UNKNOWN):
            continue
        try:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            lock.release()


def _owned(place: Path, prefix: str) -> tuple[Path, filelock.BaseFileLock | None]:
    """A new folder and its lock, None where there are no locks."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=place, prefix=prefix))
        lock = filelock.FileLock(folder / OWNER)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            continue  # another took it for abandoned before it was owned
        except UNKNOWN:
            (folder / OWNER).unlink(missing_ok=True)
            return folder, None
        if (folder / OWNER).exists():
            return folder, lock
        lock.release()


def _ours(folder: Path) -> bool:
    """Whether it is a folder of this user's that has an owner's file: not a link, not a stranger's."""
    try:
        states = folder.lstat(), (folder / OWNER).lstat()
    except OSError:
        return False
    alone = os.name != "posix" or all(state.st_uid == os.getuid() for state in states)
    return alone and stat.S_ISDIR(states[0].st_mode) and stat.S_ISREG(states[1].st_mode)
