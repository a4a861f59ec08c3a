"""Signals that are the share of one kind of thing among all that were counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatekeeper.monitor.window import Window

Steps = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
"""(those that are, all) in each step of a window, of shape [steps] each."""


def steps_of(window: Window, family: str, label: str, counts: str | tuple[str, ...]) -> Steps:
    """How many have a value of the label that begins so, or in one of these ways."""
    import numpy as np

    from gatekeeper.monitor.window import STEPS

    by = window.by(family, label)
    own = sum((steps for value, steps in by.items() if value.startswith(counts)), np.zeros(STEPS))
    return own, sum(by.values(), np.zeros(STEPS))


def above(window: Window, family: str, bound: float) -> Steps:
    """How many of a histogram are surely above a bound: above the first end of a bucket that is not below it."""
    import numpy as np

    from gatekeeper.monitor.window import STEPS

    by = window.by(family, "le")
    every = by.get("+Inf", np.zeros(STEPS))
    ends = [value for value in by if value != "+Inf" and float(value) >= bound * (1 - 1e-9)]
    below = by[min(ends, key=float)] if ends else every
    return every - below, every


def quantile(window: Window, family: str, share: float) -> tuple[float | None, int]:
    """A quantile of a histogram and how many it rests on, as `histogram_quantile` interpolates it; infinite where it lies
    above the last end.
    """
    import math

    by = {(math.inf if end == "+Inf" else float(end)): float(steps.sum()) for end, steps in window.by(family, "le").items()}
    n = by.get(math.inf, 0.0)
    if not n:
        return None, 0
    low, under = 0.0, 0.0
    for end in sorted(by):
        if by[end] >= share * n:
            part = (share * n - under) / (by[end] - under) if by[end] > under else 1.0
            return (end if end == math.inf else low + part * (end - low)), int(n)
        low, under = end, by[end]
    return math.inf, int(n)
