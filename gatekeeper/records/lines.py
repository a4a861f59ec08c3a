"""Files of JSON lines that are only added to. A line that a crash cut short stays, and says nothing."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from gatekeeper.errors import UsageError
from gatekeeper.files import open_itself

Line = TypeVar("Line", bound=msgspec.Struct)


def add_line(path: Path, entry: msgspec.Struct, unchanged: str) -> None:
    """One more, on the disk when this returns. `UsageError` where it cannot be, which ends with what then was not done."""
    line = msgspec.json.encode(entry) + b"\n"
    try:
        new = not path.exists()
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if os.lseek(file, 0, os.SEEK_END) and os.lseek(file, -1, os.SEEK_END) >= 0 and os.read(file, 1) != b"\n":
                line = b"\n" + line
            written = os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)
        if new:
            _sync(path.parent)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}. Free some space; {unchanged}.") from None
    if written != len(line):
        raise UsageError(f"{path}: the disk is full. Free some space; {unchanged}.")


def read_lines(path: Path, kind: type[Line], remedy: str) -> list[Line]:
    """All that can be read; none where there is no file. `UsageError`, which ends with the remedy, where it is no file."""
    try:
        with open_itself(path) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{path}: is no file. {remedy}.")
            content = file.read()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}. {remedy}.") from None
    entries = []
    for line in content.split(b"\n"):
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            entries.append(msgspec.json.decode(line, type=kind))
    return entries


def _sync(folder: Path) -> None:
    with suppress(OSError):  # not every system opens folders
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
