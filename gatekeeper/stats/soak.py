"""Whether latency or memory stays level over a long run: bounds on its drift that outliers and slow phases respect."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from gatekeeper.records.base import Interval
from gatekeeper.stats.looks import ALPHA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Series = NDArray[np.float64]

LIMIT = 0.05
"""Largest drift over the run, relative to the level."""

LEAST_POINTS = 30
"""Shorter series say too little of their own slow phases."""

BINS, REPLICATES = 240, 500
_CHUNK = 500_000  # slopes held at once


def drift_interval(times: ArrayLike, values: ArrayLike, alpha: float = ALPHA, seed: int = 0) -> Interval:
    """Drift over the whole run relative to the median level, with one-sided bounds, each at level `alpha`.

    `times` and `values` have shape [n]; the values are positive (ns, bytes). The drift is the Theil-Sen slope (Sen,
    JASA 63, 1968) times the duration. Longer series are first reduced to medians of equal counts. Fewer than 30
    points, a value that is not finite, or times that do not advance give infinite bounds: nothing is known.
    """
    import numpy as np

    t, y = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    if t.shape != y.shape or t.ndim != 1:
        raise ValueError(f"times and values must be paired: shapes {t.shape} and {y.shape}")
    unknown = Interval(observed=math.nan, lower=-math.inf, upper=math.inf)
    if t.size < LEAST_POINTS or not (np.isfinite(t).all() and np.isfinite(y).all()):
        return unknown
    order = np.argsort(t, kind="stable")
    t, y = t[order], y[order]
    duration, level = float(t[-1] - t[0]), float(np.median(y))
    if not (duration > 0 and level > 0):
        return unknown
    t, y = _reduced((t - t[0]) / duration), _reduced(y / level)
    slope, errors = slope_errors(t, y, alpha, seed)
    low, high = np.quantile(errors, [alpha, 1 - alpha])
    return Interval(observed=slope, lower=min(slope - float(high), slope), upper=max(slope - float(low), slope))


def judge_drift(drift: Interval, limit: float = LIMIT) -> Literal["pass", "fail"] | None:
    """PASS if both bounds are within +-limit, FAIL if the drift is shown to be beyond it, else None."""
    if drift.lower >= -limit and drift.upper <= limit:
        return "pass"
    return "fail" if drift.lower > limit or drift.upper < -limit else None


def theil_sen(t: Series, y: Series) -> Series:
    """Slopes: medians of those of all pairs of points, for `t` of shape [n] and `y` of shape [rows, n]."""
    import numpy as np

    first, second = np.triu_indices(t.size, 1)
    apart = t[second] - t[first]
    first, second, apart = first[apart > 0], second[apart > 0], apart[apart > 0]
    rows = max(1, _CHUNK // apart.size)
    parts = [y[i : i + rows] for i in range(0, len(y), rows)]
    return np.concatenate([np.median((part[:, second] - part[:, first]) / apart, axis=1, overwrite_input=True) for part in parts])


def slope_errors(t: Series, y: Series, alpha: float = ALPHA, seed: int = 0) -> tuple[float, Series]:
    """The slope of a series of shape [n], and draws of its error by a moving-block bootstrap of the residuals.

    Kunsch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17 (1989).
    The slope of a line plus noise errs by exactly the slope of the noise, so it is enough to resample the residuals,
    in blocks as long as the series remembers. Blocks cut the memory at their ends and the fit has absorbed some of
    the noise, which sqrt(n / (n - 4 size)) makes up for; and n / size blocks know the spread as well as that many
    observations do, so the draws are widened from normal to Student t quantiles.
    """
    import numpy as np
    from scipy.special import ndtri, stdtrit

    n, rng = t.size, np.random.default_rng(seed)
    slope = float(theil_sen(t, y[None])[0])
    residuals = y - slope * t
    residuals = residuals - np.median(residuals)
    size = block_length(residuals)
    starts = rng.integers(0, n - size + 1, size=(REPLICATES, -(-n // size)))
    index = (starts[:, :, None] + np.arange(size)).reshape(REPLICATES, -1)[:, :n]
    student = float(stdtrit(n / size - 2, 1 - alpha)) / float(ndtri(1 - alpha))
    return slope, theil_sen(t, residuals[index]) * student * math.sqrt(n / max(n - 4 * size, size))


def block_length(residuals: Series) -> int:
    """Length of the blocks: Andrews's (Econometrica 59, 1991) bandwidth for an AR(1), at least n^(1/3), at most n/5."""
    import numpy as np

    n = residuals.size
    centred = residuals - residuals.mean()
    variance = float(np.dot(centred, centred))
    rho = float(np.dot(centred[1:], centred[:-1])) / variance if variance > 0 else 0.0
    # Around a fitted line the estimate is low by about (2 + 4 rho) / n: Marriott and Pope, Biometrika 41 (1954).
    rho = min(max(rho + (2 + 4 * rho) / n, 0.0), 0.98)
    andrews = 1.1447 * math.cbrt(4 * rho**2 * n / (1 - rho**2) ** 2)
    return max(1, min(math.ceil(max(andrews, math.cbrt(n))), n // 5))


def _reduced(values: Series) -> Series:
    """At most BINS medians of runs of equal length (the last points, fewer than a run, join the last one)."""
    import numpy as np

    size = -(-values.size // BINS)
    if size == 1:
        return values
    cuts = np.arange(size, values.size - size + 1, size)
    return np.array([np.median(part) for part in np.split(values, cuts)])
