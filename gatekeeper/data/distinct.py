"""Which examples of a dataset are copies of one another: an example given twice says no more than once."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from gatekeeper.data.texts import raw


def distinct(inputs: Mapping[str, Any]) -> Any:
    """The number of each example among the distinct ones, in the order they come, [examples]; by all bytes of all inputs, but
    that zero has no sign.
    """
    arrays = list(inputs.values())
    return numbered(_digest(arrays, i) for i in range(len(arrays[0])))


def numbered(keys: Iterable[Hashable]) -> Any:
    """Numbers from 0, equal where keys are."""
    import numpy as np

    known: dict[Hashable, int] = {}
    return np.asarray([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)


def _digest(arrays: list[Any], i: int) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(raw(array[i] + 0 if array.dtype.kind == "f" else array[i]))
    return digest.digest()


def firsts(*columns: Any) -> Any:
    """The first of each kind of row, by all columns [rows, ...] together, in order: the others say the same once more."""
    import numpy as np

    keys = numbered(tuple(_plain(column[i]) for column in columns) for i in range(len(columns[0])))
    return np.unique(keys, return_index=True)[1]


def _plain(value: Any) -> Hashable:
    """A row as something that is equal where it is."""
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind == "O":
        return str(value)
    return array.tobytes() if array.nbytes <= 64 else hashlib.blake2b(array.tobytes(), digest_size=16).digest()
