"""Bounds on the mean of one model's scores, where no other model stands beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gatekeeper.records.base import Interval
from gatekeeper.stats.betting import betting_rejects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]

STEPS = 40
"""Of the bisection: as near as a float is of use."""


def share_interval(right: int, n: int, alpha: float) -> Interval:
    """One-sided bounds, each at level `alpha`, on a share of which `right` of `n` were seen.

    Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934): exact for every n.
    """
    from scipy.special import betaincinv

    lower = float(betaincinv(right, n - right + 1, alpha)) if right else 0.0
    upper = float(betaincinv(right + 1, n - right, 1 - alpha)) if right < n else 1.0
    return Interval(observed=right / n, lower=lower, upper=upper)


def share_p_value(right: int, n: int, limit: float) -> float:
    """p-value of H0: the share is at most `limit`, where `right` of `n` were seen: P(at least so many)."""
    from scipy.special import bdtrc

    return float(bdtrc(right - 1, n, limit)) if right else 1.0


def bounded_interval(x: Scores, low: float, high: float, alpha: float) -> Interval:
    """The same of a mean of independent values in [low, high], by betting: no distribution is assumed."""
    unit = (x - low) / (high - low)
    lower = _edge(lambda mean: betting_rejects(unit, mean, alpha))
    upper = 1 - _edge(lambda mean: betting_rejects(1 - unit, mean, alpha))
    return Interval(observed=float(x.mean()), lower=low + lower * (high - low), upper=low + upper * (high - low))


def _edge(rejected: Callable[[float], bool]) -> float:
    """The largest mean up to which every one is rejected."""
    inside, outside = 0.0, 1.0
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if rejected(middle) else (inside, middle)
    return inside
