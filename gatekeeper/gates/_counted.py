"""What a report tells of right and wrong answers, several times over: counts, values and bounds must say the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gatekeeper.records.base import Interval
from gatekeeper.records.scores import PairedScores
from gatekeeper.registry import Registry
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import retention_interval

METRICS = Registry("evaluate.metrics")
ROUNDING = 1e-6
BOUNDS = ("observed", "lower", "upper")


def right_or_wrong(metric: Any) -> bool:
    """Whether each example is right or wrong by a metric, whatever is answered: counts then tell all of a comparison."""
    return metric in METRICS.names and bool(getattr(METRICS.get(metric), "RIGHT_OR_WRONG", False))


def agree(details: Mapping[str, Any], bounds: Mapping[str, float | None]) -> bool:
    """Whether the numbers of a comparison are possible together; `bounds` are those of the accuracy gate.

    Where nothing is given twice, counts are the proof of the bounds and may not be missing. Copies count once in counts and
    bounds, and in the values of both models each for itself: so much may lie between them.
    """
    counts, copies = details.get("counts"), int(details.get("copies", 0))
    examples, plain = int(details["examples"]), right_or_wrong(details["metric"])
    if counts is not None:
        if len(counts) != 3 or min(*counts, examples - sum(counts)) < 0 or not _follow(counts, examples, bounds):
            return False
    elif plain and not copies:
        return False
    if not plain:
        return True
    (b_low, b_high), (v_low, v_high) = (_rights(details[side], examples, copies) for side in ("baseline", "variant"))
    if counts is not None:
        both, lost, gained = counts
        return bool(b_low <= both + lost <= b_high and v_low <= both + gained <= v_high)
    observed = bounds["observed"]
    if observed is None or b_high <= 0:
        return False
    return v_low / b_high <= observed <= (v_high / b_low if b_low > 0 else math.inf)


def same(stated: float | None, own: float | None) -> bool:
    """Whether two numbers are one, but for rounding; neither may be missing alone."""
    if stated is None or own is None:
        return stated is own
    return abs(stated - own) <= ROUNDING * max(1.0, abs(own))


def finite(value: float | None) -> float | None:
    """A number as a report has it: one that is none, or open, is missing."""
    return value if value is not None and math.isfinite(value) else None


def _rights(value: Any, examples: int, copies: int) -> tuple[float, float]:
    """How many of the distinct examples are right, at least and at most, where so many of all are."""
    total = float(value) * (examples + copies)
    doubt = ROUNDING * (examples + copies)
    return max(0.0, total - copies - doubt), total + doubt


def _follow(counts: list[int], examples: int, bounds: Mapping[str, float | None]) -> bool:
    """Whether bounds are those of the counts beside them."""
    both, lost, gained = counts
    own = _interval(both, lost, gained, examples)
    return all(same(bounds[key], finite(getattr(own, key))) for key in BOUNDS)


@lru_cache(maxsize=4096, typed=True)
def _interval(both: int, lost: int, gained: int, examples: int) -> Interval:
    """What counts say of retention. Kept: a model answers alike on all the targets of a matrix."""
    import numpy as np

    shares = [both, lost, gained, examples - both - lost - gained]
    p, q = np.repeat([1.0, 0.0, 1.0, 0.0], shares), np.repeat([1.0, 1.0, 0.0, 0.0], shares)
    return retention_interval(PairedScores("binary", p=p, q=q, examples=examples), ALPHA)
