"""Which outputs the user's own function reads: those whose numbers change the boxes.

A function may be handed every output and look at one, or copy all of them first: what it touches says little. So it is asked
again with other numbers in one output at a time. An output that boxes do not hang on is judged beside them, as any that no metric
reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from gatekeeper.errors import NotMeasured

TRIED = 4
"""Batches with boxes in which an output that changes nothing is tried: after those it is taken to be read by nobody."""

Boxes = list[Any]
Decode = Callable[[Mapping[str, Any]], Boxes]


@dataclass
class Known:
    """What has been learned of a function: outputs that it reads, and how often each of the others has changed nothing."""

    read: set[str] = field(default_factory=set)
    idle: dict[str, int] = field(default_factory=dict)


@lru_cache(maxsize=64)
def known(name: str, folder: str) -> Known:
    """What this process has learned of a function: it stays the same, as imported code does."""
    return Known()


def learn(what: Known, outputs: Mapping[str, Any], found: Boxes, decode: Decode) -> set[str]:
    """The outputs of a batch that are read, as far as this batch and those before tell."""
    unsure = [name for name in outputs if name not in what.read and what.idle.get(name, 0) < TRIED]
    if unsure and not _same(decode(outputs), found):
        return set(what.read)  # boxes of chance: nothing is learned, and every output is judged
    for name in unsure:
        if _hangs_on(name, outputs, found, decode):
            what.read.add(name)
        elif any(len(boxes) for boxes in found):
            what.idle[name] = what.idle.get(name, 0) + 1
    return what.read & outputs.keys()


def _hangs_on(name: str, outputs: Mapping[str, Any], found: Boxes, decode: Decode) -> bool:
    """Whether boxes change with an output; or it is so much looked at that the function refuses whatever else stands there."""
    refused, tried = 0, 0
    for other in _others(outputs[name]):
        tried += 1
        try:
            if not _same(decode({**outputs, name: other}), found):
                return True
        except NotMeasured:
            refused += 1
    return 0 < tried == refused


def _others(array: Any) -> Iterator[Any]:
    """The same numbers at other places, which any check of their range lets through, and then others."""
    import numpy as np

    turned = array[(slice(None), *[slice(None, None, -1)] * (array.ndim - 1))] if array.ndim else array
    for other in (turned, array[::-1] if array.ndim else array):
        if not np.array_equal(other, array):
            yield other.copy()
    if array.dtype.kind == "f":
        yield -array
        yield np.full_like(array, np.nan)
    elif array.dtype.kind in "iub":
        yield np.zeros_like(array)
        yield np.ones_like(array)


def _same(ours: Boxes, theirs: Boxes) -> bool:
    import numpy as np

    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(ours, theirs, strict=True))
