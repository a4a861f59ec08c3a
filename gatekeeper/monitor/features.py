"""What of an input is compared: each of its numbers where they are few, else what sums it up. The same for a test set and a
log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COMPONENTS = 64
"""Numbers of an input up to which each is a feature by itself."""
PROJECTIONS = 8
"""Sums with signs that are drawn once, of larger inputs: what a mean and a spread do not show of an image, they do."""
SUMS = ("mean", "sd", "least", "greatest")
LENGTH = "length"


class Way(msgspec.Struct, frozen=True):
    """How one input is read: `size` numbers, each a feature up to `COMPONENTS`; 0: of any length, such as a text."""

    size: int

    def names(self, name: str) -> list[str]:
        """The features of an input of that name."""
        if self.size == 1:
            return [name]
        if 0 < self.size <= COMPONENTS:
            return [f"{name}[{i}]" for i in range(self.size)]
        more = [f"{name}.{i}" for i in range(PROJECTIONS)] if self.size else [f"{name}.{LENGTH}"]
        return [*(f"{name}.{each}" for each in SUMS), *more]


def way_of(examples: Sequence[Any]) -> Way:
    """As examples of an input are: of one size, or of any."""
    sizes = {size_of(each) for each in examples}
    return Way(sizes.pop() if len(sizes) == 1 and 0 not in sizes else 0)


def size_of(example: Any) -> int:
    """How many numbers an example has; 0 where it is text."""
    import numpy as np

    if isinstance(example, str | bytes):
        return 0
    try:
        array = np.asarray(example)
    except ValueError:  # rows of several lengths
        return 0
    return int(array.size) if array.dtype.kind in "biuf" or example is None else 0


def features(ways: Mapping[str, Way], rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """Every feature of some examples, each of shape [examples]; NaN where an example has none, or is of another size."""
    import numpy as np

    found: dict[str, NDArray[np.float64]] = {}
    for name, way in ways.items():
        names = way.names(name)
        values = np.array([_of(way, row.get(name), len(names)) for row in rows], dtype=float).reshape(len(rows), len(names))
        found |= {each: values[:, i].copy() for i, each in enumerate(names)}
    return found


def _of(way: Way, example: Any, count: int) -> Any:
    """The features of one example."""
    import numpy as np

    nothing = [np.nan] * count
    if example is None:
        return nothing
    if isinstance(example, str | bytes):
        codes = np.array([*(example.encode("utf-8", "surrogatepass") if isinstance(example, str) else example)], dtype=float)
        return nothing if way.size else [*_sums(codes), len(example)]
    try:
        flat = np.asarray(example, dtype=float).ravel()
    except (TypeError, ValueError):
        return nothing
    if not way.size:
        return [*_sums(flat), flat.size]
    if flat.size != way.size:
        return nothing
    if way.size <= COMPONENTS:
        return flat
    return [*_sums(flat), *(_signs(way.size) @ flat)]


def _sums(flat: NDArray[np.float64]) -> list[float]:
    return [float(each) for each in (flat.mean(), flat.std(), flat.min(), flat.max())] if flat.size else [float("nan")] * 4


@lru_cache(maxsize=8)
def _signs(size: int) -> NDArray[np.float64]:
    """Of shape [projections, size], and of length 1 each."""
    import numpy as np

    drawn: NDArray[np.float64] = np.random.default_rng(size).choice([-1.0, 1.0], (PROJECTIONS, size)) / np.sqrt(size)
    return drawn
