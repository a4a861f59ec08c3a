"""A test of the mean of values that lie in a known range."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]


def betting_rejects(x: Scores, mean: float, alpha: float) -> bool:
    """Whether H0: E[x] <= mean is rejected for independent x in [0, 1], without assuming a distribution.

    Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B (2024), the
    predictable plug-in bet of section 4: a gambler whose wealth is a supermartingale under H0 reaches 1/alpha
    with probability at most alpha (Ville's inequality).
    """
    import numpy as np

    if mean <= 0:
        return bool(x.mean() > mean) if mean < 0 else False
    if mean >= 1:
        return False
    count = np.arange(1, x.size + 1)
    means = (0.5 + np.cumsum(x)) / (count + 1)
    variances = (0.25 + np.cumsum((x - means) ** 2)) / (count + 1)
    previous = np.concatenate([[0.25], variances[:-1]])
    bets = np.minimum(np.sqrt(2 * math.log(1 / alpha) / (x.size * previous)), 0.75 / mean)
    return bool(np.cumsum(np.log1p(bets * (x - mean))).max() >= math.log(1 / alpha))


def ratio_above(p: Scores, q: Scores, t: float, low: float, high: float, alpha: float) -> bool:
    """Whether H0: E[p - t*q] <= 0 is rejected, for p and q in [low, high]."""
    return betting_rejects(*_mapped(p, q, t, low, high), alpha)


def ratio_below(p: Scores, q: Scores, t: float, low: float, high: float, alpha: float) -> bool:
    """Whether H0: E[p - t*q] >= 0 is rejected, for p and q in [low, high]."""
    x, zero = _mapped(p, q, t, low, high)
    return betting_rejects(1 - x, 1 - zero, alpha)


def _mapped(p: Scores, q: Scores, t: float, low: float, high: float) -> tuple[Scores, float]:
    """p - t*q, which lies in [low - t*high, high - t*low], mapped onto [0, 1]; and where 0 then falls."""
    width = (high - low) * (1 + t)
    return (p - t * q - (low - t * high)) / width, (t * high - low) / width
