"""Bounds on a mean over rounds. A round is one fresh process per arm, so rounds are independent samples.

Rounds are few: lists and `math` are quicker than arrays, and need no import that a merge of reports would wait for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gatekeeper.records.base import Interval
from gatekeeper.stats.student import upper_quantile

MANY = 1000
"""Values from which numpy is quicker."""


def mean_interval(values: Sequence[float], alpha: float) -> Interval:
    """One-sided Student t bounds, each at level `alpha`, on the mean of `values`.

    mean -+ t(1 - alpha, n - 1) * s / sqrt(n). Fewer than two values, or a value that is not finite,
    give infinite bounds: nothing is known.
    """
    count = len(values)
    if count < 2 or not all(map(math.isfinite, values)):
        return Interval(observed=float(values[0]) if count == 1 else math.nan, lower=-math.inf, upper=math.inf)
    mean, spread = mean_and_spread(values)
    half = upper_quantile(count - 1, alpha) * spread / math.sqrt(count)
    return Interval(observed=mean, lower=mean - half, upper=mean + half)


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of two values or more."""
    count = len(values)
    if count >= MANY:
        import numpy as np

        data = np.asarray(values, dtype=float)
        return float(data.mean()), float(data.std(ddof=1))
    mean = sum(values) / count
    return mean, math.sqrt(sum([(value - mean) * (value - mean) for value in values]) / (count - 1))


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float], alpha: float, errors: tuple[float, float] = (0.0, 0.0)
) -> Interval:
    """Bounds on the ratio of two positive quantities measured in the same rounds.

    Works on d_r = ln(numerator_r / denominator_r), so what is common to a round (a slow phase of the
    machine) cancels, and the bounds are those of the geometric mean. `errors` are how far a numerator and a denominator
    may be from what was there, in their unit, because the clock has no finer steps: rounds that read alike are then
    not taken for certainty. A value that is zero, negative or not finite gives infinite bounds.
    """
    logs = log_ratios(numerators, denominators)
    if logs is None:
        return Interval(observed=math.nan, lower=0.0, upper=math.inf)
    interval = mean_interval(logs, alpha)
    if any(errors):
        top, bottom = errors
        least = log_ratios([n - top for n in numerators], [d + bottom for d in denominators])
        most = log_ratios([n + top for n in numerators], [d - bottom for d in denominators])
        lower = -math.inf if least is None else mean_interval(least, alpha).lower
        upper = math.inf if most is None else mean_interval(most, alpha).upper
        interval = Interval(observed=interval.observed, lower=lower, upper=upper)
    return Interval(observed=_exp(interval.observed), lower=_exp(interval.lower), upper=_exp(interval.upper))


def log_ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float] | None:
    """ln(numerator_r / denominator_r) of each round; None if there are none or a value is not positive and finite."""
    if len(numerators) != len(denominators):
        raise ValueError(f"{len(numerators)} numerators and {len(denominators)} denominators: rounds must be paired")
    log = math.log
    try:
        logs = [log(top) - log(bottom) for top, bottom in zip(numerators, denominators, strict=True)]
    except ValueError:  # zero, or less
        return None
    # Of what is infinite or not a number neither is the logarithm finite.
    return logs if logs and all(map(math.isfinite, logs)) else None


def _exp(value: float) -> float:
    return math.exp(value) if value < 709 else math.inf
