"""Bounds on a mean over rounds. A round is one fresh process per arm, so rounds are independent samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatekeeper.records.base import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def mean_interval(values: Sequence[float], alpha: float) -> Interval:
    """One-sided Student t bounds, each at level `alpha`, on the mean of `values`.

    mean -+ t(1 - alpha, n - 1) * s / sqrt(n). Fewer than two values, or a value that is not finite,
    give infinite bounds: nothing is known.
    """
    import numpy as np
    from scipy.special import stdtrit

    data = np.asarray(values, dtype=float)
    if data.size < 2 or not np.isfinite(data).all():
        return Interval(observed=float(data[0]) if data.size == 1 else math.nan, lower=-math.inf, upper=math.inf)
    half = float(stdtrit(data.size - 1, 1 - alpha)) * float(data.std(ddof=1)) / math.sqrt(data.size)
    mean = float(data.mean())
    return Interval(observed=mean, lower=mean - half, upper=mean + half)


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
    interval = mean_interval(logs.tolist(), alpha)
    if any(errors):
        top, bottom = errors
        least = log_ratios([n - top for n in numerators], [d + bottom for d in denominators])
        most = log_ratios([n + top for n in numerators], [d - bottom for d in denominators])
        lower = -math.inf if least is None else mean_interval(least.tolist(), alpha).lower
        upper = math.inf if most is None else mean_interval(most.tolist(), alpha).upper
        interval = Interval(observed=interval.observed, lower=lower, upper=upper)
    return Interval(observed=_exp(interval.observed), lower=_exp(interval.lower), upper=_exp(interval.upper))


def log_ratios(numerators: Sequence[float], denominators: Sequence[float]) -> NDArray[np.float64] | None:
    """ln(numerator_r / denominator_r), shape [rounds]; None if there are none or a value is not positive and finite."""
    import numpy as np

    top, bottom = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    if top.shape != bottom.shape:
        raise ValueError(f"{top.size} numerators and {bottom.size} denominators: rounds must be paired")
    if not top.size or not (np.isfinite(top).all() and np.isfinite(bottom).all() and (top > 0).all() and (bottom > 0).all()):
        return None
    logs: NDArray[np.float64] = np.log(top) - np.log(bottom)
    return logs


def _exp(value: float) -> float:
    return math.exp(value) if value < 709 else math.inf
