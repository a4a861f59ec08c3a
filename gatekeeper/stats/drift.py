"""Whether the inputs a model meets have moved away from those it was approved on, feature by feature.

The distance is Kolmogorov and Smirnov's D, the largest difference between the two cumulative shares, rather than
Wasserstein's: it has no unit, does not change when a feature is rescaled or its tail is heavy, treats counts,
categories coded as numbers and missing values alike, and its floor reads as "this share of the inputs has moved".
A feature has drifted when D is both unlikely by chance (a permutation test, exact with ties, Holm over features) and
large enough to matter. A look that is repeated daily spends a falling share of the error budget, so that the false
alarms of all days together stay within it.
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

MOST_PERMUTATIONS = 100_000
_ENOUGH = 20  # permutations at least as far apart, after which more would only refine a large p-value
_CHUNK = 1_000_000  # numbers held at once


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
    seed: int = 0,
) -> list[FeatureDrift]:
    """Compare features of shape [n] and [m] in the `look`-th comparison (from 1); the names must be the same."""
    import numpy as np

    if reference.keys() != current.keys():
        raise ValueError(f"features differ: {sorted(reference.keys() ^ current.keys())}")
    names, spend = list(reference), spending(look, alpha)
    if not names:
        return []
    permutations = min(MOST_PERMUTATIONS, math.ceil(4 * len(names) / spend))
    rng = np.random.default_rng(seed)
    tests = [distance_test(reference[name], current[name], permutations, rng) for name in names]
    rejected = holm([p for _, p in tests], spend)
    return [
        FeatureDrift(name, distance, p, r and distance >= floor)
        for name, (distance, p), r in zip(names, tests, rejected, strict=True)
    ]


def distance_test(a: ArrayLike, b: ArrayLike, permutations: int, rng: np.random.Generator) -> tuple[float, float]:
    """D between samples of shape [n] and [m], and its permutation p-value; NaN is one more value, "missing".

    p = (1 + exceeding) / (1 + permutations), or h / l when the h-th exceeding one is the l-th drawn: Besag and
    Clifford, "Sequential Monte Carlo p-values", Biometrika 78 (1991). Both are valid for every sample size.
    """
    import numpy as np

    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.ndim != 1 or second.ndim != 1 or not first.size or not second.size:
        raise ValueError(f"samples must be of shape [n], n > 0, not {first.shape} and {second.shape}")
    _, place = np.unique(np.concatenate([first, second]), return_inverse=True, equal_nan=True)
    order = np.argsort(place, kind="stable")
    last = np.append(np.diff(place[order]) > 0, True)  # ties move together: D is read after the last of them
    label = (np.arange(place.size) < first.size)[order]
    observed = int(_distances(label[None], last, first.size)[0])
    drawn = exceeding = 0
    while drawn < permutations:
        rows = min(permutations - drawn, max(1, _CHUNK // label.size), max(100, drawn))
        far = _distances(rng.permuted(np.tile(label, (rows, 1)), axis=1), last, first.size) >= observed
        if exceeding + int(far.sum()) >= _ENOUGH:
            position = int(np.flatnonzero(far)[_ENOUGH - exceeding - 1]) + 1
            return observed / (first.size * second.size), _ENOUGH / (drawn + position)
        drawn, exceeding = drawn + rows, exceeding + int(far.sum())
    return observed / (first.size * second.size), (1 + exceeding) / (1 + permutations)


def _distances(labels: NDArray[np.bool_], last: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
    """n * m * D of sorted samples, exact, for each row of labels (True: the first sample) of shape [rows, n + m]."""
    import numpy as np

    size = labels.shape[1]
    from_first = np.cumsum(labels, axis=1, dtype=np.int64)[:, last]
    position = np.flatnonzero(last) + 1
    # first/n - second/m over the common denominator: (m * first - n * (position - first)) = size * first - n * position
    distances: NDArray[np.int64] = np.abs(size * from_first - n * position).max(axis=1)
    return distances


def holm(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Which hypotheses are rejected so that any false rejection has probability at most `alpha` (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = [False] * len(p_values)
    for rank, i in enumerate(order):
        if not p_values[i] <= alpha / (len(p_values) - rank):
            break
        rejected[i] = True
    return rejected
