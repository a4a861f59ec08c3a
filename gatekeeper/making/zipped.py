"""How large files are in a zip archive, as an apk is one: by deflating them, and keeping nothing."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

LEVEL = 6
"""What build tools for Android take where nobody says otherwise."""


class _Counted(io.RawIOBase):
    """Somewhere to write, that only counts."""

    def __init__(self) -> None:
        self.count = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        length = len(data)  # type: ignore[arg-type]
        self.count += length
        return length


def zipped_bytes(files: Mapping[str, Path | bytes]) -> int:
    """Bytes of a zip archive with these files, by their names in it."""
    sink = _Counted()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL, strict_timestamps=False) as archive:
        for name, content in sorted(files.items()):
            if isinstance(content, bytes):
                archive.writestr(name, content)
            else:
                archive.write(content, name)
    return sink.count


@lru_cache(maxsize=256)
def zipped_once(files: tuple[Path, ...], sha256: str) -> int:
    """The same of an artifact that is asked for again and again; `sha256` is what it is known by."""
    return zipped_bytes({file.name: file for file in files})
