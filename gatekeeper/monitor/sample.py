"""A sample of bounded size of a stream of any length: the rows whose numbers, scrambled, are the smallest.

Deterministic, and mergeable: of two streams the sample of both is that of their samples, in whatever order they come (bottom-k
sampling: E. Cohen and H. Kaplan, "Summarizing data using bottom-k sketches", PODC 2007). Rows are kept whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatekeeper.stats.drift import MOST

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIZE = MOST
"""Rows that are kept: as many as are compared."""


@dataclass(frozen=True)
class Sample:
    """`columns` have shape [rows]; `priorities`, in rising order, of shape [rows], too; `seen` rows there were."""

    columns: dict[str, NDArray[np.float64]]
    priorities: NDArray[np.uint64]
    seen: int

    def merged(self, other: Sample) -> Sample:
        """The sample of both streams; a column that one of them lacks is missing (NaN) in its rows."""
        import numpy as np

        priorities = np.concatenate([self.priorities, other.priorities])
        order = np.argsort(priorities, kind="stable")[:SIZE]
        columns = {}
        for name in dict.fromkeys([*self.columns, *other.columns]):
            both = [each.columns.get(name, np.full(len(each.priorities), np.nan)) for each in (self, other)]
            columns[name] = np.concatenate(both)[order]
        return Sample(columns, priorities[order], self.seen + other.seen)


def empty() -> Sample:
    """Of nothing."""
    import numpy as np

    return Sample({}, np.empty(0, np.uint64), 0)


def scrambled(stream: str, start: int, count: int) -> NDArray[np.uint64]:
    """The priorities of rows number `start` and on of a stream of that name: splitmix64 (G. Steele et al., OOPSLA 2014)."""
    import hashlib

    import numpy as np

    salt = int.from_bytes(hashlib.blake2b(stream.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little")
    z = np.arange(start, start + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return found
