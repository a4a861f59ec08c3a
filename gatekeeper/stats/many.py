"""Bounds on many ratios at once: those of `gatekeeper.stats.rounds`, for arrays of rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.stats.student import upper_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def ratio_bounds(
    numerators: Array, denominators: Array, alpha: float, errors: tuple[Array, Array] | None = None
) -> tuple[Array, Array]:
    """Lower and upper bounds of `ratio_interval` for each of [n, rounds], each of shape [n].

    `errors` are of shape [n]. NaN where a value is not positive and finite, and where there are fewer than two rounds.
    """
    import numpy as np

    with np.errstate(all="ignore"):
        if errors is None:
            mean, half = _mean_and_half(np.log(numerators) - np.log(denominators), alpha)
            return np.exp(mean - half), np.exp(mean + half)
        top, bottom = errors[0][:, None], errors[1][:, None]
        low, below = _mean_and_half(np.log(numerators - top) - np.log(denominators + bottom), alpha)
        high, above = _mean_and_half(np.log(numerators + top) - np.log(denominators - bottom), alpha)
        return np.exp(low - below), np.exp(high + above)


def _mean_and_half(logs: Array, alpha: float) -> tuple[Array, Array]:
    import numpy as np

    count = logs.shape[-1]
    mean = logs.mean(axis=-1)
    if count < 2:
        return mean, np.full_like(mean, np.nan)
    spread = np.sqrt(((logs - mean[:, None]) ** 2).sum(axis=-1) / (count - 1))
    return mean, upper_quantile(count - 1, alpha) * spread / count**0.5
