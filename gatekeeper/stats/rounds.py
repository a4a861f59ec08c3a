"""Bounds on a mean over rounds. A round is one fresh process per arm, so rounds are independent samples.

Rounds are few: lists and `math` are quicker than arrays, and need no import that a merge of reports would wait for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul, sub

from gatekeeper.records.base import Interval
from gatekeeper.stats.student import upper_quantile

MANY = 1000
"""Values from which numpy is quicker."""


def mean_interval(values: Sequence[float], alpha: float) -> Interval:
    """One-sided Student t bounds, each at level `alpha`, on the mean of `values`.

    mean -+ t(1 - alpha, n - 1) * s / sqrt(n). Fewer than two values, or a value that is not finite,
    give infinite bounds: nothing is known.
    """
    mean, half = _mean_and_half(values, alpha)
    return Interval(observed=mean, lower=mean - half, upper=mean + half) if half < math.inf else _unknown(mean)


def _unknown(value: float) -> Interval:
    return Interval(observed=value, lower=-math.inf, upper=math.inf)


def _mean_and_half(values: Sequence[float], alpha: float) -> tuple[float, float]:
    """The mean and how far each bound is from it; infinity where nothing is known."""
    count = len(values)
    if count < 2 or not all(map(math.isfinite, values)):
        return float(values[0]) if count == 1 else math.nan, math.inf
    mean, spread = mean_and_spread(values)
    half = upper_quantile(count - 1, alpha) * spread / math.sqrt(count)
    return mean, half if half < math.inf else math.inf


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of two values or more."""
    count = len(values)
    if count >= MANY:
        import numpy as np

        data = np.asarray(values, dtype=float)
        return float(data.mean()), float(data.std(ddof=1))
    mean = sum(values) / count
    centred = [value - mean for value in values]
    return mean, math.sqrt(sum(map(mul, centred, centred)) / (count - 1))


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
    observed, half = _mean_and_half(logs, alpha)
    lower, upper = observed - half, observed + half
    top, bottom = errors
    if top or bottom:
        lower, upper = -math.inf, math.inf
        if (least := log_ratios([n - top for n in numerators], [d + bottom for d in denominators])) is not None:
            mean, half = _mean_and_half(least, alpha)
            lower = mean - half
        if (most := log_ratios([n + top for n in numerators], [d - bottom for d in denominators])) is not None:
            mean, half = _mean_and_half(most, alpha)
            upper = mean + half
    return Interval(observed=_exp(observed), lower=_exp(lower), upper=_exp(upper))


def log_ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float] | None:
    """ln(numerator_r / denominator_r) of each round; None if there are none or a value is not positive and finite."""
    if len(numerators) != len(denominators):
        raise ValueError(f"{len(numerators)} numerators and {len(denominators)} denominators: rounds must be paired")
    try:
        logs = list(map(sub, map(math.log, numerators), map(math.log, denominators)))
    except ValueError:  # zero, or less
        return None
    # Of what is infinite or not a number neither is the logarithm finite.
    return logs if logs and all(map(math.isfinite, logs)) else None


def _exp(value: float) -> float:
    return math.exp(value) if value < 709 else math.inf
