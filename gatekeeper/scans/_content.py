"""What the bytes of a file are, whatever it is called: the marks that loaders go by, and for pickles, which have none, a look."""

from __future__ import annotations

import pickletools
import re
from io import BytesIO
from pathlib import Path

MARKS = (
    (b"GGUF", "gguf"), (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"\x89HDF\r\n\x1a\n", "hdf5"), (b"\x93NUMPY", "npy"),
    (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"Rar!\x1a\x07", "rar"), (b"\x7fELF", "program"), (b"MZ\x90\x00", "program"), (b"\xfe\xed\xfa\xce", "program"),
    (b"\xfe\xed\xfa\xcf", "program"), (b"\xcf\xfa\xed\xfe", "program"), (b"\xce\xfa\xed\xfe", "program"),
    (b"\xca\xfe\xba\xbe", "program"), (b"#!", "script"), (b"\x89PNG\r\n", "image"), (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"), (b"%PDF-", "document"), (b"RIFF", "media"),
)  # fmt: skip
PICKLE = "pickle"
LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
LOOK = 1 << 16
"""Bytes of a file that are looked at to tell a pickle."""

MOST_STEPS = 100_000
_IMPORTS, _CALLS = {"GLOBAL", "STACK_GLOBAL", "INST"}, {"REDUCE", "OBJ", "NEWOBJ", "NEWOBJ_EX", "INST", "BUILD"}
_ARGUMENTS = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE", "MARK"}
_NAMES = re.compile(r"[A-Za-z_][\w.]* [A-Za-z_][\w.]*")
TEXT_LOOK = 4096


def content(path: Path, head: bytes) -> str:
    """`gguf`, `zip`, `pickle`, `program` ..., `xml`, `json`, `text`; `binary` where nothing tells."""
    for mark, name in MARKS:
        if head.startswith(mark):
            if name == "gzip" and head[2:3] != b"\x08":
                continue
            return name
    if head[257:262] == b"ustar":
        return "tar"
    start = _read(path)
    if is_pickle(start):
        return PICKLE
    return _text(start)


def is_pickle(start: bytes) -> bool:
    """Whether an unpickler would take it. What comes behind opcodes that call something need not be sound: it is too late then.

    Older protocols have no mark. They are told by an import, its arguments and a call, which no text has in that order.
    """
    if start.startswith(LEGACY_TORCH):
        return True
    if not start or start[0] not in _FIRST:
        return False
    marked = start[0] == 0x80 and len(start) > 1 and 2 <= start[1] <= 5
    imported = given = called = False
    try:
        for steps, (code, argument, _) in enumerate(pickletools.genops(BytesIO(start)), 1):
            imported = imported or (
                code.name in _IMPORTS and (code.name == "STACK_GLOBAL" or bool(_NAMES.fullmatch(str(argument))))
            )
            given = given or code.name in _ARGUMENTS
            called = called or (imported and given and code.name in _CALLS)
            if called or (marked and imported) or steps > MOST_STEPS:
                return marked or called
            if code.name == "STOP":
                return marked and steps > 2
    except Exception:  # of bytes that are no pickle anything may go wrong
        return False
    return False


_FIRST = {ord(each.code) for each in pickletools.opcodes}


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LOOK)


def _text(start: bytes) -> str:
    look = start[:TEXT_LOOK]
    if look.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "xml" if b"<" in look[:4] else "text"
    try:
        text = look.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(look) - 3:  # a character cut in two by the look is still text
            return "binary"
        text = look[: error.start].decode("utf-8-sig")
    if re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text):
        return "binary"
    begun = text.lstrip()[:1]
    return "xml" if begun == "<" else "json" if begun in ("{", "[") else "text"
