"""Models that are tensors and nothing else: what is compared is every tensor's type, shape and data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from gatekeeper.making.content._hash import combined
from gatekeeper.models.formats import gguf
from gatekeeper.models.safetensors import read_header

_PIECE = 1 << 20


def of_gguf(path: Path) -> str:
    """A digest of a GGUF file's tensors."""
    with path.open("rb") as file:
        return _of(combined(t.type, t.dims, _data(file, t.start, t.bytes)) for t in gguf.stored(path))


def of_safetensors(path: Path) -> str:
    """A digest of a safetensors file's tensors."""
    with path.open("rb") as file:
        tensors = read_header(file, path.stat().st_size)
        start = file.tell()
        return _of(
            combined(t.dtype, t.shape, _data(file, start + t.data_offsets[0], t.data_offsets[1] - t.data_offsets[0]))
            for t in tensors.values()
        )


def _of(tensors: Iterable[bytes]) -> str:
    return combined(*sorted(tensors)).hex()


def _data(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    whole = hashlib.sha256()
    while length > 0 and (piece := file.read(min(length, _PIECE))):
        whole.update(piece)
        length -= len(piece)
    return whole.digest()
