"""How much farther off a number may be and be no fault: in units of what there is to tell of it, which is never nothing."""

from __future__ import annotations

from typing import Any

STEP = 2.0**-8
"""Of what is always the same only its size is told. Shorter numbers hold that to so much of it at least (bfloat16, 8 bits)."""

SAME = 1e-6
"""Numbers that differ by less than this share of their size are the same: 32 bits hold no more of them."""


def told(right: Any, baseline: Any) -> Any:
    """Which of several numbers differ by more than the baseline is off by: [numbers], of [examples, numbers]."""
    return ~steady(right) & (_off(right, baseline) < right.std(axis=0))


def steady(right: Any) -> Any:
    """Which of several numbers, [examples, numbers], are the same in every example: [numbers]."""
    import numpy as np

    return np.ptp(right, axis=0) <= SAME * np.abs(right).max(axis=0)


def room(right: Any, baseline: Any, share: float) -> Any:
    """For each number this share of its spread over the examples, [numbers], of right ones and answers [examples, numbers].

    Where the baseline is off by more than that spread, which is then nothing that it could tell, it is what it is off by beyond
    it. A number that is always the same has a step of its own size at least; one that is always zero, and rightly so, has no
    size, and has a step of the smallest thing that any of the others tells.
    """
    import numpy as np

    off, spread, size, same = _off(right, baseline), right.std(axis=0), np.abs(right).mean(axis=0), steady(right)
    found = np.maximum(share * spread, off - spread)
    found = np.where(same, np.maximum(found, STEP * size), found)
    units = np.where(same, np.maximum(off, size), spread)
    return np.where(found > 0, found, STEP * min(units[units > 0], default=1.0))


def _off(right: Any, baseline: Any) -> Any:
    import numpy as np

    with np.errstate(over="ignore"):
        return np.sqrt(((baseline - right) ** 2).mean(axis=0))
