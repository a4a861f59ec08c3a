"""Which of several variants are shown to be right, so that any of them is wrong at most as often as one that is alone.

Of n variants exactly at their limit one passes by chance n times as often as one does. So what is shown of one is shown against
every set of variants that it may be in (a closed test: R. Marcus, E. Peritz and K. Gabriel, Biometrika 63, 1976), each set by
Simes' rule, as G. Hommel does (Biometrika 75, 1988): variants that share a baseline, a machine and examples move together, for
which the rule holds (S. Sarkar, Annals of Statistics 26, 1998). Nothing is lost where all pass clearly, or all pass at all.

A variant that failed is not counted, as one that is beyond its limit mostly does (Q. Zhao, D. Small and W. Su, "Multiple testing
when many p-values are uniformly conservative", JASA 114, 2019). One exactly at its limit fails now and then, which gives more to
the others; `ROOM` pays for that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

ROOM = 0.95
"""What several share of the level of one: at most (1 - 2 a) / (1 - a), where one at its limit fails with chance a = 0.04."""

CLOSE = 1.02
"""A share is found to within this factor, and is never said to be less than it is."""


def allowed(count: int) -> float:
    """The share of its level at which the surest of `count` variants must still pass, to be shown."""
    return 1.0 if count <= 1 else ROOM / count


def shown(shares: Sequence[float], more: int = 0) -> list[bool]:
    """Which variants are shown, by the share of its own level at which each still passes: infinity where it does not pass.

    Those that failed are left out of `shares`. `more` others may be near their limit, and nothing is known of them.
    """
    most = allowed(_undecided(sorted([*shares, *[math.inf] * more])))
    return [share <= most for share in shares]


def _undecided(ordered: Sequence[float]) -> int:
    """The size of the largest set of which nothing is shown: of each size, that of the least sure is the last to be shown."""
    count = len(ordered)
    for size in range(count, 0, -1):
        step = allowed(size)
        if not any(ordered[count - size + rank - 1] <= rank * step for rank in range(1, size + 1)):
            return size
    return 0


def least_share(passes: Callable[[float], bool], least: float) -> float:
    """The least share of its level, down to `least`, at which something passes that does at the whole of it."""
    if passes(least):
        return least
    low, high = least, 1.0
    while high > CLOSE * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


def share_of_bound(observed: float, bound: float, limit: float, alpha: float) -> float:
    """The share of `alpha` at which a bound would still clear its limit, from the bound at `alpha`; 1 where nothing is known.

    The wider a bound is, the more may vary what it bounds: of counts of something rare the variance is as wide as the bound. So
    one that is m from what was observed at z standard deviations is taken to be c m from it at sqrt(c) z.
    """
    from statistics import NormalDist  # which imports as much as the rest of what `gatekeeper validate` needs of numbers

    times = _times(observed, bound, limit)
    return 1.0 if times <= 1 else math.erfc(NormalDist().inv_cdf(1 - alpha) * math.sqrt(times / 2)) / 2 / alpha


def least_of_bound(observed: float, bound: float, limit: float, alpha: float) -> float:
    """The least that share can be said to be: a p-value falls by the same factor for every m, as of counts without a loss."""
    return float(alpha ** (_times(observed, bound, limit) - 1))


def _times(observed: float, bound: float, limit: float) -> float:
    """How many times as far from what was observed as the bound the limit is; 1 where it is not beyond it, or nobody knows."""
    room, width = observed - limit, observed - bound
    known = math.isfinite(room) and math.isfinite(width) and width != 0
    return room / width if known and room / width > 1 else 1.0
