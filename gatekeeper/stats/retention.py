"""How much of the baseline's quality a variant keeps, with bounds, from scores paired by example.

Every rule here tests H0: E[p - t * q] <= 0, where p and q are the two models' scores on one example, and
reports the bounds it implies: the largest and smallest t that are still rejected. With p the variant's and q
the baseline's score that is `retention >= t`; for errors, where lower is better, the roles are swapped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from gatekeeper.records.base import Interval
from gatekeeper.stats import binary, f1, pooled, unbounded
from gatekeeper.stats.betting import ratio_above, ratio_below

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatekeeper.records.scores import Kind, PairedScores

    Scores = NDArray[np.float64]

LARGEST_RATIO = 1e3
NEARLY = 1e-9
FINE = 1e-9  # how exactly a bound is worked out, of itself
MOST_EXAMPLES = 10_000_000
NOTHING_KNOWN = Interval(observed=math.nan, lower=-math.inf, upper=math.inf)

Test = Callable[[float], bool]


def retention_interval(scores: PairedScores, alpha: float) -> Interval:
    """Observed retention with one-sided bounds, each at level `alpha`."""
    import numpy as np

    p, q = np.asarray(scores.p, dtype=float), np.asarray(scores.q, dtype=float)
    if p.shape != q.shape or p.ndim != 1:
        raise ValueError(f"scores must be paired: shapes {p.shape} and {q.shape}")
    if not p.size or not (np.isfinite(p).all() and np.isfinite(q).all()):
        return NOTHING_KNOWN
    scores = replace(scores, kind=_rule(scores, p, q), p=p, q=q)
    if scores.kind == "classes":
        return f1.retention(scores, alpha)
    if scores.kind == "pooled" and scores.counts is not None:
        return pooled.retention(scores.counts, alpha)
    if scores.kind == "log":
        return _log_retention(scores, alpha)
    if q.mean() <= 0:
        return NOTHING_KNOWN
    reject_low, reject_high = _tests(scores, alpha)
    observed = float(p.mean() / q.mean())
    lower = _largest_rejected(reject_low, observed)
    upper = _smallest_rejected(reject_high, observed)
    power = scores.power
    if observed < 0:  # a variant worse than no model at all (R2 below zero); its root would mean nothing
        lower, power = -math.inf, 1.0
    return Interval(observed=observed**power, lower=lower if lower < 0 else lower**power, upper=max(upper, 0.0) ** power)


def examples_needed(scores: PairedScores, limit: float, alpha: float) -> int | None:
    """How many examples like these would show `limit`; None if it takes more than ten million, or the limit is not kept."""
    if not retention_interval(scores, alpha).observed > limit:
        return None
    low, high = 1.0, 1.0
    while not shows(scores, limit, alpha, high):
        low, high = high, 2 * high
        if high * scores.examples > MOST_EXAMPLES or (scores.kind == "bounded" and high * scores.examples > 1_000_000):
            return None
    while high - low > 0.02 * low:
        middle = (low + high) / 2
        low, high = (low, middle) if shows(scores, limit, alpha, middle) else (middle, high)
    return math.ceil(high * scores.examples)


def shows(scores: PairedScores, limit: float, alpha: float, times: float = 1.0) -> bool:
    """Whether the lower bound clears the limit; or would, with `times` as many examples of the same kinds in the same shares."""
    import numpy as np

    p, q = np.asarray(scores.p, dtype=float), np.asarray(scores.q, dtype=float)
    scores = replace(scores, kind=_rule(scores, p, q), p=p, q=q)
    if scores.kind == "classes":
        return f1.shows(scores, limit, alpha, times)
    if scores.kind == "pooled" and scores.counts is not None:
        return pooled.shows(scores.counts, limit, alpha, times)
    if scores.kind == "log":
        return unbounded.log_above(scores, math.log(limit), alpha, times)
    t = limit ** (1 / scores.power)
    if scores.kind == "binary":
        return math.sqrt(times) * binary.score_z(scores.p, scores.q, t) >= binary.critical(alpha)
    if scores.kind in ("real", "errors"):
        return unbounded.ratio_above(scores, t, alpha, times)
    index = np.arange(round(times * len(scores.p))) % len(scores.p)
    return _tests(replace(scores, p=scores.p[index], q=scores.q[index]), alpha)[0](t)


def misses(scores: PairedScores, limit: float, alpha: float) -> bool:
    """Whether the upper bound is below the limit, of scores that are compared as they are (right or wrong, shares, numbers)."""
    import numpy as np

    p, q = np.asarray(scores.p, dtype=float), np.asarray(scores.q, dtype=float)
    return _tests(replace(scores, kind=_rule(scores, p, q), p=p, q=q), alpha)[1](limit ** (1 / scores.power))


def _rule(scores: PairedScores, p: Scores, q: Scores) -> Kind:
    """The kind of rule: scores that are 0 or 1 are right or wrong answers, whatever they are called, unless one may cost more."""
    import numpy as np

    counts = scores.kind == "bounded" or (scores.kind == "real" and (scores.unseen is None or scores.unseen <= 1 + NEARLY))
    if counts and all((np.minimum(np.abs(a), np.abs(a - 1)) < NEARLY).all() for a in (p, q)):
        return "binary"
    return scores.kind


def _log_retention(scores: PairedScores, alpha: float) -> Interval:
    """Of logarithms, of which a difference is a ratio."""
    mean = float((scores.p - scores.q).mean())
    lower = _edge(lambda u: unbounded.log_above(scores, u, alpha), mean, mean - unbounded.FARTHEST_LOG)
    upper = _edge(lambda u: unbounded.log_below(scores, u, alpha), mean, mean + unbounded.FARTHEST_LOG)
    return Interval(
        observed=_exp(mean),
        lower=0.0 if lower is None else _exp(lower),
        upper=math.inf if upper is None else _exp(upper),
    )


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))


def _tests(scores: PairedScores, alpha: float) -> tuple[Test, Test]:
    """Two tests of a t: is `retention <= t` rejected; is `retention >= t` rejected."""
    import numpy as np

    p, q = scores.p, scores.q
    if scores.kind == "binary":
        critical = binary.critical(alpha)
        return (lambda t: binary.score_z(p, q, t) >= critical), (lambda t: binary.score_z(p, q, t) <= -critical)
    if scores.kind == "bounded":
        shuffled = np.random.default_rng(0).permutation(p.size)
        p, q = p[shuffled], q[shuffled]
        low, high = scores.low, scores.high
        return (lambda t: ratio_above(p, q, t, low, high, alpha)), (lambda t: ratio_below(p, q, t, low, high, alpha))
    return (lambda t: unbounded.ratio_above(scores, t, alpha)), (lambda t: unbounded.ratio_below(scores, t, alpha))


def _edge(rejected: Test, inside: float, outside: float) -> float | None:
    """Where rejection begins between a value that is not rejected and one far out; None where that is not rejected either."""
    if not rejected(outside):
        return None
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if rejected(middle) else (middle, outside)
    return outside


def _largest_rejected(rejected: Test, start: float) -> float:
    """The largest t below `start` with `rejected(t)`, by bisection; 0 if there is none."""
    low, high = 0.0, max(start, 1e-9)
    if not rejected(1e-9):
        return 0.0
    while high - low > FINE * high:
        middle = (low + high) / 2
        low, high = (middle, high) if middle > 0 and rejected(middle) else (low, middle)
    return low


def _smallest_rejected(rejected: Test, start: float) -> float:
    """The smallest t above `start` with `rejected(t)`; infinite if none up to `LARGEST_RATIO`."""
    low, high = max(start, 1e-9), LARGEST_RATIO
    if not rejected(high):
        return math.inf
    while high - low > FINE * high:
        middle = (low + high) / 2
        low, high = (low, middle) if rejected(middle) else (middle, high)
    return high
