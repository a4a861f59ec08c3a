"""NumPy files: arrays of objects, which are pickles, and headers that are true of their data."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterator
from math import prod
from typing import IO, Any

from gatekeeper.models.formats._base import PAST_END, Malformed
from gatekeeper.scans._base import Found, Rule, Saw, Seen, Unscanned
from gatekeeper.scans._content import is_pickle

DESCRIPTION = "`.npy` and `.npz`: arrays of objects, shapes, members that are no arrays."
ORDER = 30
RULES = {
    "object_array": Rule(
        "An array of objects is a pickle, which runs code when it is loaded.",
        "Do not load it with allow_pickle. Save the array again with a type of numbers.",
    ),
}

MAGIC = b"\x93NUMPY"
MAX_HEADER = 1 << 16
LOOK = 1 << 16
LENGTHS = {1: 2, 2: 4, 3: 4}
"""Bytes of the header's length, by version."""


def takes(seen: Seen) -> bool:
    """By its mark, and archives by their name."""
    return seen.content == "npy" or seen.suffix == ".npz"


def scan(seen: Seen) -> Iterator[Saw]:
    """The header of every array."""
    if seen.content == "npy":
        with seen.opened() as file:
            yield from _array(file, seen.size, "")
        return
    if seen.content != "zip":
        raise Unscanned("it is named .npz and is no archive")
    try:
        with zipfile.ZipFile(seen.path) as archive:
            for member in archive.infolist():
                if member.is_dir():
                    continue
                with archive.open(member) as inside:
                    yield from _array(inside, member.file_size, member.filename)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise Unscanned(f"an archive that cannot be read: {error}") from None


def _array(file: IO[bytes], size: int, name: str) -> Iterator[Found]:
    where = f"member {name[:120]!r}" if name else ""
    start = file.read(8)
    if start[:6] != MAGIC:
        if is_pickle(start + file.read(LOOK)):
            yield Found("object_array", "a pickle", where)
            return
        raise Unscanned(f"{name[:120]!r} is no array")
    width = LENGTHS.get(start[6])
    if width is None:
        raise Unscanned(f"an array of version {start[6]}, which is not known")
    length = int.from_bytes(file.read(width), "little")
    if length > MAX_HEADER or 8 + width + length > size:
        yield Found(PAST_END, f"its header has {length:,} bytes", where)
        return
    yield from _header(file.read(length), size - 8 - width - length, where)


def _header(text: bytes, rest: int, where: str) -> Iterator[Found]:
    try:
        header: Any = ast.literal_eval(text.decode("latin1").strip())
        kind, shape = header["descr"], tuple(header["shape"])
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        raise Malformed("its header is no description of an array") from None
    if _objects(kind):
        yield Found("object_array", f"its type is {str(kind)[:80]}", where)
        return
    if not all(isinstance(d, int) and 0 <= d < 1 << 62 for d in shape) or len(shape) > 64:
        yield Found(PAST_END, f"its shape is {str(shape)[:80]}", where)
        return
    width = _width(kind)
    if width is not None and prod(shape) * width > rest:
        yield Found(PAST_END, f"its shape takes {prod(shape) * width:,} bytes, and there are {rest:,}", where)


def _objects(kind: Any) -> bool:
    """Whether a type, or one of its parts, is of objects."""
    if isinstance(kind, str):
        return "O" in kind.upper().strip("<>|=") and not kind.strip("<>|=0123456789").upper().startswith(("U", "S"))
    if isinstance(kind, list):  # fields: (name, type) or (name, type, shape)
        return any(isinstance(part, tuple) and len(part) > 1 and _objects(part[1]) for part in kind)
    return isinstance(kind, tuple) and bool(kind) and _objects(kind[0])  # a type of several: (type, shape)


def _width(kind: Any) -> int | None:
    """Bytes of one element, where the type is a plain one."""
    if not isinstance(kind, str):
        return None
    code, digits = kind.strip("<>|=")[:1], kind.strip("<>|=")[1:]
    if not digits.isdigit() or len(digits) > 9:
        return None
    return int(digits) * (4 if code == "U" else 1) if code in "biufcSUVa?" else 8 if code in "mM" else None
