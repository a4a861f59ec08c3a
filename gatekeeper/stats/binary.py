"""The score test for answers that are right or wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]


def score_z(p: Scores, q: Scores, t: float) -> float:
    """Score statistic of H0: P(p = 1) = t * P(q = 1) for paired binary scores.

    Nam and Blackwelder, "Analysis of the ratio of marginal probabilities in a matched-pair setting",
    Statistics in Medicine 21 (2002): the variance uses cell probabilities maximised under H0, which keeps the
    test honest where Wald and bootstrap intervals are not (few or no disagreements).
    """
    import numpy as np

    n = p.size
    right_p, right_q = p > 0.5, q > 0.5
    both = int(np.sum(right_p & right_q))
    only_q, only_p = int(right_q.sum()) - both, int(right_p.sum()) - both
    answered = both + only_q + only_p
    if answered == 0:
        return 0.0
    s, u = answered / n, (1 - t) * answered / n
    # Likelihood equation in x = P(q only) under p01 = (x - u) / t: a quadratic whose larger root is feasible.
    a = (1 + t) * answered
    b = (both + only_q) * (1 + t) * u + (only_q + only_p) * s
    root = b * b - 4 * a * only_q * u * s
    q10 = (b + math.sqrt(max(root, 0.0))) / (2 * a)
    q01 = max((q10 - u) / t, 0.0)
    q11 = max(s - q10 - q01, 0.0)
    variance = (1 - t) ** 2 * q11 + t**2 * q10 + q01
    difference = (both + only_p) / n - t * (both + only_q) / n
    if variance <= 0:
        return 0.0 if difference == 0 else math.copysign(math.inf, difference)
    return math.sqrt(n) * difference / math.sqrt(variance)


def critical(alpha: float) -> float:
    """The statistic from which on H0 is rejected."""
    from scipy.special import ndtri

    return float(ndtri(1 - alpha))
