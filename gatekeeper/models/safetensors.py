"""Reads the header of a safetensors file: what tensors it holds, never their data.

Format: https://github.com/huggingface/safetensors#format. As strict as that library: tensors lie one after the other, without
gaps, to the end of the file; so nothing is counted twice and nothing hides between them.
"""

from __future__ import annotations

from math import prod
from typing import BinaryIO

import msgspec

from gatekeeper.models.formats._base import AMBIGUOUS, PAST_END, Malformed

# Name in the file -> name here, bits.
DTYPES = {
    "F64": ("float64", 64), "F32": ("float32", 32), "F16": ("float16", 16), "BF16": ("bfloat16", 16),
    "F8_E4M3": ("float8e4m3fn", 8), "F8_E5M2": ("float8e5m2", 8), "F8_E4M3FNUZ": ("float8e4m3fnuz", 8),
    "F8_E5M2FNUZ": ("float8e5m2fnuz", 8), "F8_E8M0": ("float8e8m0", 8), "F6_E2M3": ("float6e2m3", 6),
    "F6_E3M2": ("float6e3m2", 6), "F4": ("float4e2m1", 4), "I64": ("int64", 64), "I32": ("int32", 32), "I16": ("int16", 16),
    "I8": ("int8", 8), "U64": ("uint64", 64), "U32": ("uint32", 32), "U16": ("uint16", 16), "U8": ("uint8", 8),
    "BOOL": ("bool", 8), "C64": ("complex64", 64),
}  # fmt: skip

MAX_HEADER = 16 << 20  # bytes; enough for 100,000 tensors
MAX_RANK = 64


class StoredTensor(msgspec.Struct, frozen=True):
    """One tensor; its data lies from the first to before the second offset, counted from the end of the header."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]

    @property
    def element_type(self) -> str:
        """Its type as numpy would say it."""
        return DTYPES[self.dtype][0]


def read_header(file: BinaryIO, size: int) -> dict[str, StoredTensor]:
    """Name -> tensor of an open file of `size` bytes; `Malformed` if its header is not true of it."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > MAX_HEADER:
        said = f"its header has {length:,} bytes, more than {MAX_HEADER >> 20} MB: it is no safetensors file"
        raise Malformed(said, PAST_END if length > size - 8 >= 0 else "")
    if length > size - 8:
        raise Malformed(f"its header of {length:,} bytes reaches past its end: it is cut short", PAST_END)
    try:
        entries = msgspec.json.decode(file.read(length).decode("utf-8"), type=dict[str, msgspec.Raw])
        msgspec.json.decode(entries.pop("__metadata__", b"{}"), type=dict[str, str] | None)
        tensors = {name: msgspec.json.decode(entry, type=StoredTensor) for name, entry in entries.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"its header is no list of tensors: {error}") from None
    _check_places(tensors, size - 8 - length)
    return tensors


def _check_places(tensors: dict[str, StoredTensor], size: int) -> None:
    """Every tensor has the bytes its shape takes, and together they fill the `size` bytes of data."""
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        start, stop = tensor.data_offsets
        if tensor.dtype not in DTYPES:
            raise Malformed(f"the tensor {name[:80]!r} is of the unknown type {tensor.dtype[:80]!r}")
        if len(tensor.shape) > MAX_RANK or any(d < 0 for d in tensor.shape) or prod(tensor.shape) >= 1 << 63:
            raise Malformed(f"the tensor {name[:80]!r} has impossible dimensions", PAST_END)
        if start != end:
            said = f"the tensor {name[:80]!r} starts at byte {start} of the data, and not at {end}, where one ends"
            raise Malformed(said, PAST_END if start > size or start < 0 else AMBIGUOUS)
        if (stop - start) * 8 != prod(tensor.shape) * DTYPES[tensor.dtype][1]:
            raise Malformed(f"the tensor {name[:80]!r} has {stop - start} bytes, which its shape and type do not take", PAST_END)
        if stop > size:
            raise Malformed(f"the tensor {name[:80]!r} ends beyond the {size:,} bytes of data: it is cut short", PAST_END)
        end = stop
    if end != size:
        raise Malformed(f"{size - end:,} bytes of data belong to no tensor", AMBIGUOUS)
