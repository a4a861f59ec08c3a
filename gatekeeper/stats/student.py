"""Quantiles of Student's t for few degrees of freedom, without a library.

A merge of a thousand reports judges every one of them again, and importing scipy would take longer than judging. The
distribution function is that of Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4: finite
sums for whole degrees of freedom. What lies outside their reach is left to scipy.
"""

from __future__ import annotations

import math
from functools import lru_cache

MOST_DEGREES = 400
LEAST_ALPHA = 1e-6
"""Beyond, 1 - A(t) has lost too many digits."""


@lru_cache(maxsize=4096)
def upper_quantile(degrees: int, alpha: float) -> float:
    """t with P(T > t) = alpha, for T of whole `degrees` of freedom."""
    if degrees > MOST_DEGREES or not LEAST_ALPHA <= alpha <= 0.5:
        from scipy.special import stdtrit

        return float(stdtrit(degrees, 1 - alpha))
    low, high = 0.0, 1.0
    while _above(high, degrees) > alpha:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if _above(middle, degrees) > alpha else (low, middle)
    return (low + high) / 2


def _above(t: float, degrees: int) -> float:
    """P(T > t)."""
    angle = math.atan2(t, math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    terms = []
    for step in range(2 + odd, degrees + 1, 2):
        terms.append(term)
        term *= cosine * cosine * (step - 1) / step
    within = 2 / math.pi * (angle + sine * math.fsum(terms)) if odd else sine * math.fsum(terms)
    return (1 - within) / 2
