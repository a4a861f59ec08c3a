"""Writing files so that a reader never sees half of one, nor some of several that belong together."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

from gatekeeper.errors import UsageError

Content = str | bytes | Iterable[bytes]
WRITING = ".writing-"
"""How a file is called until it is whole."""

_NO_OTHER = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Flags to open what somebody else may have put there: no link is followed, and a pipe not waited for."""


def write_atomic(path: Path, data: Content) -> None:
    """Write beside the target and rename; on any failure the old file stays and no new one appears."""
    write_together({path: data})


def write_together(files: Mapping[Path, Content]) -> None:
    """Write all beside their targets, and rename them in that order once each is whole and on the disk.

    What fails while they are written changes no file; what fails while they are renamed leaves none of the new ones.
    """
    whole: dict[Path, Path] = {}
    placed: list[Path] = []
    path = Path()
    try:
        for path, data in files.items():
            whole[path] = _beside(path)
            _fill(whole[path], data)
        for path, temporary in whole.items():
            temporary.replace(path)
            placed.append(path)
    except BaseException as error:
        for left in (*whole.values(), *placed):
            with suppress(OSError):
                left.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(path, error) from None
        raise


def _beside(path: Path) -> Path:
    """An empty file for what shall be at that path, on the same file system."""
    import tempfile

    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=WRITING)
    os.close(descriptor)
    return Path(temporary)


def _fill(temporary: Path, data: Content) -> None:
    content = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    with temporary.open("wb") as file:
        file.writelines([content] if isinstance(content, bytes) else content)
        file.flush()
        os.fsync(file.fileno())  # a file system may find only now that it has no room
    temporary.chmod(0o644)


POINTER = b"version https://git-lfs"
FETCH = "Fetch it with `git lfs pull`, or in a workflow with `lfs: true`."


def is_pointer(path: Path) -> bool:
    """Whether a file is what Git LFS leaves in place of one that was not fetched."""
    try:
        with path.open("rb") as file:
            return file.read(len(POINTER)) == POINTER
    except (OSError, ValueError):
        return False


def make_folder(path: Path) -> None:
    """Create a folder to write in, and its parents, or say why not."""
    _check_inside(_place(path))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def check_own(path: Path) -> None:
    """`UsageError` where a folder of reports is a link, or lies under one in the working folder.

    A change can bring a link along, and what is written through it takes the place of another's file.
    """
    place = _place(path)
    _check(place)
    _check_inside(place)


def _place(path: Path) -> Path:
    """The whole path as it is written, with no link followed."""
    return Path(os.path.normpath(path.absolute()))


def _check_inside(place: Path) -> None:
    """The same of what lies in the working folder; where that itself lies, its owner knows."""
    here = Path.cwd()
    for each in (place, *place.parents):
        if each.is_relative_to(here) and each != here:
            _check(each)


def _check(place: Path) -> None:
    if is_link(place):
        raise UsageError(f"{place}: is a link, and nothing is written through one. Name the folder itself, or remove the link.")


def open_itself(path: Path) -> BufferedReader:
    """A file of that name for reading: through no link, and without waiting for the other end of a pipe. `OSError` else."""
    return os.fdopen(os.open(path, os.O_RDONLY | _NO_OTHER), "rb")


def is_link(path: Path) -> bool:
    """Whether a path is a link of any kind; one that the system cannot even name is none."""
    try:
        return path.is_symlink() or bool(getattr(os.path, "isjunction", lambda _: False)(path))
    except (OSError, ValueError):
        return False


def no_file(folder: Path) -> str:
    """What below a folder is neither a file nor a folder: a link, a pipe, a device. Empty where there is nothing such."""
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            mode = Path(above, name).lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or is_link(Path(above, name)):
                return name
    return ""


def check_name(path: Path) -> None:
    """`UsageError` where the whole name of a path is no text: neither frameworks nor messages between processes can hold it."""
    whole = str(path.resolve())
    try:
        whole.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(whole).decode("utf-8", "backslashreplace")
        raise UsageError(f"{shown}: the name is not UTF-8 text. Rename it, or work in another folder.") from None


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path}: cannot be written: {error.strerror}. Free some space or choose another folder with --output.")
