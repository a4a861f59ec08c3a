"""What a server and its session processes say to one another: msgpack messages, each after its length in four bytes."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from gatekeeper.serve.tensors import Feed

MOST_BYTES = 1 << 31


class Array(msgspec.Struct, frozen=True, array_like=True):
    """A tensor; text is a list."""

    name: str
    dtype: str
    shape: list[int]
    data: bytes | list[str]


class Generate(msgspec.Struct, frozen=True):
    """A text to go on with."""

    text: str
    max_tokens: int
    stop: list[str] = []


class Ask(msgspec.Struct, frozen=True):
    """One request: tensors to infer, or a text to generate."""

    arrays: list[Array] = []
    generate: Generate | None = None


class Reply(msgspec.Struct, frozen=True):
    """An answer, or a piece of one while `done` is false; `status` is the HTTP status of an error."""

    arrays: list[Array] = []
    piece: str = ""
    done: bool = True
    error: str = ""
    status: int = 200


def pack(feed: Feed) -> list[Array]:
    """Arrays as they travel."""
    arrays = []
    for name, array in feed.items():
        text = array.dtype.kind in "OSU"
        data: bytes | list[str] = [str(each) for each in array.ravel()] if text else np.ascontiguousarray(array).tobytes()
        arrays.append(Array(name, "object" if text else array.dtype.str, list(array.shape), data))
    return arrays


def unpack(arrays: list[Array]) -> Feed:
    """The arrays that came."""
    return {a.name: _array(a) for a in arrays}


def _array(given: Array) -> np.ndarray[Any, Any]:
    if isinstance(given.data, list):
        return np.array(given.data, dtype=object).reshape(given.shape)
    return np.frombuffer(given.data, np.dtype(given.dtype)).reshape(given.shape)
