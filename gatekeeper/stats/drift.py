"""Whether the inputs a model meets have moved away from those it was approved on, feature by feature.

The distance is Kolmogorov and Smirnov's D, the largest difference between the two cumulative shares, rather than
Wasserstein's: it has no unit, does not change when a feature is rescaled or its tail is heavy, treats counts,
categories coded as numbers and missing values alike, and its floor reads as "this share of the inputs has moved".
A feature has drifted when D is both unlikely by chance (the permutation test, Holm over features) and large enough to
matter. A look that is repeated daily spends a falling share of the error budget, so that the false alarms of all days
together stay within it.

The p-value is that of all permutations, counted and not drawn. Of N that are drawn none shows less than 1/N, while the
share that look k may spend falls with k squared: 100,000 of them see nothing from the twentieth day on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatekeeper.stats.looks import ALPHA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

FLOOR = 0.1
"""Least D that matters: a tenth of the inputs lies elsewhere."""

MOST = 4096
"""Values of either side that are compared: counting takes their product, and D >= 0.1 is certain long before."""

_FEW = 64
"""Distinct values up to which each place where D is read is counted by itself, too: ties make D smaller."""


@dataclass(frozen=True)
class FeatureDrift:
    """One feature: its distance D in [0, 1], the permutation p-value and whether both rules call it drift."""

    name: str
    distance: float
    p_value: float
    drifted: bool


def spending(look: int, alpha: float = ALPHA) -> float:
    """What look number `look` (from 1) may spend: alpha * 6 / (pi k)^2, which over all looks adds up to alpha."""
    if look < 1:
        raise ValueError(f"looks are counted from 1, not {look}")
    return alpha * 6 / (math.pi * look) ** 2


def drift(
    reference: Mapping[str, ArrayLike],
    current: Mapping[str, ArrayLike],
    look: int,
    alpha: float = ALPHA,
    floor: float = FLOOR,
) -> list[FeatureDrift]:
    """Compare features of shape [n] and [m] in the `look`-th comparison (from 1); the names must be the same."""
    if reference.keys() != current.keys():
        raise ValueError(f"features differ: {sorted(reference.keys() ^ current.keys())}")
    tests = [distance_test(reference[name], current[name]) for name in reference]
    rejected = holm([p for _, p in tests], spending(look, alpha))
    return [
        FeatureDrift(name, distance, p, r and distance >= floor)
        for name, (distance, p), r in zip(reference, tests, rejected, strict=True)
    ]


def distance_test(a: ArrayLike, b: ArrayLike) -> tuple[float, float]:
    """D between samples of shape [n] and [m], and its permutation p-value; NaN is one more value, "missing".

    Of more than `MOST` values the first are compared: a sample must be in no order.
    """
    import numpy as np

    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.ndim != 1 or second.ndim != 1 or not first.size or not second.size:
        raise ValueError(f"samples must be of shape [n], n > 0, not {first.shape} and {second.shape}")
    first, second = first[:MOST], second[:MOST]
    values, place = np.unique(np.concatenate([first, second]), return_inverse=True, equal_nan=True)
    size = values.size
    return _of_counts(np.bincount(place[: first.size], minlength=size), np.bincount(place[first.size :], minlength=size))


def counts_test(first: ArrayLike, second: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """The same of two histograms with the same bins, each of shape [bins]: how many values fell into each.

    Of more than `MOST` values that many are drawn for the p-value; D is that of all.
    """
    import numpy as np

    one, other = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    if one.shape != other.shape or one.ndim != 1 or not one.sum() or not other.sum() or min(one.min(), other.min()) < 0:
        raise ValueError(f"histograms must have the same bins and hold something, not {one.tolist()} and {other.tolist()}")
    rng = np.random.default_rng(seed)
    distance = float(np.abs(np.cumsum(one) / one.sum() - np.cumsum(other) / other.sum()).max())
    return distance, _of_counts(_thinned(one, rng), _thinned(other, rng))[1]


def _thinned(counts: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `MOST` of what was counted, drawn without putting back."""
    return rng.multivariate_hypergeometric(counts, MOST) if counts.sum() > MOST else counts


def _of_counts(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[float, float]:
    """D and p of what fell on each of the distinct values, in their order.

    Without ties the paths between two lines are counted (J. Hodges, "The significance probability of the Smirnov two-sample
    test", Arkiv foer Matematik 3, 1958), by scipy. With ties D is read at fewer places and can only be smaller, so that p holds;
    where there are few values the sum of each place's hypergeometric probability holds, too, and of two values is the p-value.
    """
    import numpy as np

    n, m = int(first.sum()), int(second.sum())
    below, cut = np.cumsum(first)[:-1], np.cumsum(first + second)[:-1]
    # below / n - (cut - below) / m over the common denominator: ((n + m) * below - n * cut) / (n * m)
    observed = int(np.abs((n + m) * below - n * cut).max(initial=0))
    if not observed:
        return 0.0, 1.0
    p = _of_paths(np.repeat(np.arange(first.size), first), np.repeat(np.arange(first.size), second))
    if first.size <= _FEW:
        p = min(p, _of_places(observed, cut, n, m))
    return observed / (n * m), min(1.0, p)


def _of_paths(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Counted by scipy; where rounding takes the share of paths above 1, it warns and would give an approximation instead."""
    import warnings

    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(ks_2samp(first, second, method="exact").pvalue)
        except RuntimeWarning:
            return 1.0


def _of_places(observed: int, cut: NDArray[np.int64], n: int, m: int) -> float:
    """How often, at most, the shares below any of these places differ so much: how many of the first sample are among the `cut`
    lowest is hypergeometric.
    """
    import numpy as np
    from scipy.stats import hypergeom

    fewest, most = (n * cut - observed) // (n + m), -((-n * cut - observed) // (n + m))
    below, above = hypergeom.cdf(fewest, n + m, cut, n), hypergeom.sf(most - 1, n + m, cut, n)
    return float(np.sum(below) + np.sum(above))


def holm(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Which hypotheses are rejected so that any false rejection has probability at most `alpha` (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = [False] * len(p_values)
    for rank, i in enumerate(order):
        if not p_values[i] <= alpha / (len(p_values) - rank):
            break
        rejected[i] = True
    return rejected
