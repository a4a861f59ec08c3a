"""Arrays some examples at a time: scores of every pixel may be more than fits at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOST = 1 << 24
"""Values read at once."""


def parts(array: Any, most: int = MOST) -> Iterator[slice]:
    """Slices of the first axis that hold at most so many values, or one example."""
    step = max(1, most // max(array[0].size, 1)) if len(array) else 1
    return (slice(start, start + step) for start in range(0, len(array), step))
