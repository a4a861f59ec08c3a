"""The folder of the reports: one gatekeeper writes in it at a time, and nothing in it speaks of an earlier run.

Taking an earlier run's reports away is the first thing that a run does, before it reads a model or imports what reads one:
whatever happens then, a verdict that stands in the folder is this run's. So this module imports little.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from gatekeeper.errors import UsageError

LOCK = ".lock"
REPORT = "report.json"
FILES = (REPORT, "junit.xml", "report.md", "report.sarif")
"""What the formats that come with gatekeeper write; named here, as importing them takes longer than all the rest."""
REPAIR = "repair/repair.json"
"""What a repair beside the reports found, which is told with them."""


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Own the folder, made if need be: two that write in it would mix two reports. One process may do so again inside."""
    import filelock

    from gatekeeper.files import check_own, make_folder

    check_own(folder)
    make_folder(folder)
    _check_lock(folder / LOCK)
    lock = filelock.FileLock(folder.resolve() / LOCK, is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise UsageError(f"{folder}: another gatekeeper is writing here. Wait for it, or choose another --output.") from None
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}. Choose another folder with --output.") from None
    try:
        yield
    finally:
        lock.release()


def _check_lock(lock: Path) -> None:
    """`UsageError` where the lock is another file by another name: locking empties it."""
    from gatekeeper.files import is_link

    if is_link(lock) or (lock.exists() and lock.stat().st_nlink > 1):
        raise UsageError(f"{lock}: is a link to another file. Remove it, or choose another folder with --output.")


def owned_where_runs_are(folder: Path) -> AbstractContextManager[None]:
    """Own the folder where a run ever was: elsewhere nobody else writes, and merged reports lie there with nothing beside."""
    return owned(folder) if (folder / LOCK).exists() else nullcontext()


@contextmanager
def cleared(folder: Path, spared: Collection[Path] = ()) -> Iterator[None]:
    """The folder without the reports of an earlier run, and owned where one was; a folder that is not there is not made.

    A report.json that `spared` names, or that lies under what it names, is what is read now: it stays until it is replaced.
    Reports go before the folder is owned, as that takes longer. One that is being written meanwhile has another name.
    """
    if not folder.is_dir():
        yield
        return
    from gatekeeper.files import check_own

    check_own(folder)
    _remove([folder / name for name in (*FILES, REPAIR) if name != REPORT or not _among(folder / name, spared)])

    from gatekeeper.files import WRITING
    from gatekeeper.registry import Registry

    formats = Registry("reports")
    others = [getattr(formats.get(name), "FILE_NAME", None) for name in formats.names if name not in formats.builtin]
    _remove([folder / name for name in others if name])
    with owned_where_runs_are(folder):
        _remove(list(folder.glob(f"{WRITING}*")))
        yield


def withdraw(folder: Path, spared: Collection[Path] = ()) -> None:
    """Take the reports of an earlier run away, where that can be done; for what fails with an error of its own."""
    with suppress(UsageError), cleared(folder, spared):
        pass


def _among(file: Path, spared: Collection[Path]) -> bool:
    whole = file.resolve()
    return any(whole.is_relative_to(each.resolve()) for each in spared)


def _remove(files: list[Path]) -> None:
    """All that can be removed, whatever cannot."""
    left: list[UsageError] = []
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            said = f"{file}: of an earlier run, and cannot be removed: {error.strerror}. Choose another folder with --output."
            left.append(UsageError(said))
    if left:
        raise left[0]
