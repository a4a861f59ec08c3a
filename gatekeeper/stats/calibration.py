"""Expected calibration error, and how much more of it a variant has than its baseline, with bounds.

The error is that of M. P. Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
binning" (AAAI 2015), as C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger have it, "On calibration of modern neural networks"
(ICML 2017, eq. 3): of M bins of equal width the sum of (examples in the bin / all examples) times |share that is right - mean
confidence|.

From a sample it comes out too large, as chance never cancels below a sum of absolute values, and more so for the better
calibrated of two models: growth comes out too small exactly where there is some. A bootstrap repeats that, and is not used.
With d and e the differences (right - sure) by bin of the variant and of the baseline, growth is s.d - t.e for their true signs
s and t, and t.e is the most that any signs give. So growth is at most s.d - t'.e for any other t', and a bound holds if it
holds for every s that may be the true one (an intersection-union test). Signs are taken as known where the sample leaves no
doubt (`DOUBT` is taken off the level for that: R. L. Berger and D. D. Boos, JASA 89, 1994); t' is t where that is known, and
elsewhere s, so that what both models have in common cancels.

That growth is at least so much, which fails a variant and passes none, is shown from the other side, and also with t' all of
one sign, as of a variant that is too sure everywhere; each at a part of the level.

Each s.d - t'.e is the mean of one number an example, bounded by Student's t with two more examples that nobody saw, each of
which costs all that one can: where a loss is so rare that it comes by Poisson's law this is no less than the exact bound.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gatekeeper.records.base import Interval
from gatekeeper.records.scores import Calibrated
from gatekeeper.stats.student import upper_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = list[tuple[int, int, float, float]]

MOST_BINS = 16
DOUBT = 0.1
"""Share of the level that is spent on signs that are taken as known."""
UNSEEN, UNSEEN_SIGN = 2, 3
"""Examples that are added, of the worst kind there can be: to what is bounded, and before a sign counts as known."""
ROUNDING = 1e-9


def calibrated(baseline: tuple[Floats, Floats], variant: tuple[Floats, Floats], bins: int) -> Calibrated:
    """Of both models how sure each answer is (from 0 to 1) and whether it is right, each of shape [examples]."""
    import numpy as np

    if not all(np.isfinite(each).all() for arm in (baseline, variant) for each in arm):
        return Calibrated(problem="how sure a model is, or whether it is right, is NaN or infinite")
    own, numbers, edges = [], [], np.linspace(0, 1, bins + 1)[1:-1]
    for sure, right in (baseline, variant):
        place = np.searchsorted(edges, sure)  # (a, b], and 0 with the first
        gap = right - sure
        columns = [np.bincount(place, values, bins) for values in (None, right, sure, gap * gap)]
        own.append([(int(n), int(k), float(c), float(q)) for n, k, c, q in zip(*columns, strict=True)])
        numbers.append((place, gap))
    (of_baseline, e), (of_variant, d) = numbers
    products = np.zeros((bins, bins))
    np.add.at(products, (of_variant, of_baseline), d * e)
    there = [(int(i), int(j), float(products[i, j])) for i, j in zip(*np.nonzero(products), strict=True)]
    return Calibrated(bins=bins, examples=len(d), baseline=own[0], variant=own[1], together=there)


def error(arm: Rows, examples: int) -> float:
    """The expected calibration error of one model."""
    return sum(abs(right - sure) for _, right, sure, _ in arm) / examples


def growth(of: Calibrated, alpha: float) -> Interval:
    """How much larger the variant's error is than the baseline's, with one-sided bounds, each at level `alpha`."""
    seen = error(of.variant, of.examples) - error(of.baseline, of.examples)
    turned = _swapped(of)
    shrinks = [_most(turned, alpha / 2), *(_most(turned, alpha / 4, sign) for sign in (1.0, -1.0))]
    return Interval(observed=seen, lower=-min(shrinks), upper=_most(of, alpha))


def at_most(of: Calibrated, limit: float, alpha: float) -> bool:
    """Whether it is shown, at level `alpha`, that the error grows by no more than `limit`."""
    return _most(of, alpha) <= limit


def possible(of: Calibrated) -> bool:
    """Whether there can be such numbers: all bins there, all examples in them, and no sum larger than its parts allow."""
    if not (2 <= of.bins <= MOST_BINS and of.examples > 0):
        return False
    for arm in (of.baseline, of.variant):
        if len(arm) != of.bins or sum(row[0] for row in arm) != of.examples:
            return False
        for i, (n, right, sure, squares) in enumerate(arm):
            low, high = (n * edge / of.bins for edge in (i, i + 1))
            gap = right - sure
            if not (0 <= right <= n and low - ROUNDING * n <= sure <= high + ROUNDING * n):
                return False
            if not gap * gap - ROUNDING * n <= squares * n <= n * n * (1 + ROUNDING):
                return False
    pairs = [(i, j) for i, j, _ in of.together]
    if len(set(pairs)) != len(pairs) or any(not (0 <= i < of.bins and 0 <= j < of.bins) for i, j in pairs):
        return False
    return all(p * p <= of.variant[i][3] * of.baseline[j][3] * (1 + ROUNDING) + ROUNDING for i, j, p in of.together)


def _swapped(of: Calibrated) -> Calibrated:
    turned = [(j, i, p) for i, j, p in of.together]
    return Calibrated(bins=of.bins, examples=of.examples, baseline=of.variant, variant=of.baseline, together=turned)


def _most(of: Calibrated, alpha: float, otherwise: float = 0.0) -> float:
    """The upper bound of the growth, with `otherwise` for the baseline's signs that are not known; 0: those of the variant."""
    import numpy as np

    n = of.examples
    d, e = (np.array([right - sure for _, right, sure, _ in arm]) for arm in (of.variant, of.baseline))
    squares = [np.array([row[3] for row in arm]) for arm in (of.variant, of.baseline)]
    products = np.zeros((of.bins, of.bins))
    for i, j, product in of.together:
        products[i, j] = product
    level = DOUBT * alpha / (2 * of.bins)  # two models, and one side of each
    s, t = (_known(sums, of_squares, level, n) for sums, of_squares in zip((d, e), squares, strict=True))
    there = np.array([v[0] + b[0] > 0 for v, b in zip(of.variant, of.baseline, strict=True)])
    free = np.flatnonzero((s == 0) & there)
    signs = np.tile(np.where(s == 0, 1.0, s), (2 ** len(free), 1))
    signs[:, free] = 1 - 2.0 * ((np.arange(2 ** len(free))[:, None] >> np.arange(len(free))) & 1)
    others = np.where(t == 0, np.full_like(signs, otherwise) if otherwise else signs, t)
    total = signs @ d - others @ e
    square = squares[0].sum() + squares[1].sum() - 2 * ((signs @ products) * others).sum(axis=1)
    count = n + UNSEEN
    mean = (total + UNSEEN) / count
    variance = np.maximum((np.maximum(square, 0.0) + UNSEEN) / count - mean * mean, 0.0)
    reach = upper_quantile(count - 1, (1 - DOUBT) * alpha) / math.sqrt(count - 1)
    return float((mean + reach * np.sqrt(variance)).max())


def _known(sums: Floats, squares: Floats, level: float, n: int) -> Floats:
    """Of each bin the sign of what its sum is expected to be, or 0 where that is not known."""
    import numpy as np

    far = upper_quantile(n + UNSEEN_SIGN - 1, level)
    known = np.abs(sums) - UNSEEN_SIGN > far * np.sqrt(squares + UNSEEN_SIGN)
    return np.sign(sums) * known
