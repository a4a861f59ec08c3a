"""Whether a mean is above zero, by values of no known distribution of which some may be too rare to have been seen.

Each value gets a random weight, an exponential of mean 1, and so does one more value, as bad as one that was not seen may be:
the share of weightings with a mean of at most zero is the test's level. N. Gaffke, "Three test statistics for a nonparametric
one-sided hypothesis on the mean of a nonnegative variable", Mathematical Methods of Statistics 14 (2005); M. Phan, P. Thomas
and E. Learned-Miller, "Towards practical mean bounds for small samples", ICML (2021). For values of two kinds, good and as bad
as can be, it is the exact binomial test: a loss in a share s of n examples is unseen with probability (1 - s)^n.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]

BEYOND = 3.0
"""What was not seen may be so many times worse than the worst seen: the mean of a Pareto tail of index 1.5 (squares of errors
that have three degrees of freedom) beyond its largest value of n is 3 / n of it."""


def chance_of_none(values: Scores, unseen: float, times: float = 1.0) -> float:
    """P(sum of E_i * x_i <= 0) over `values`, each `times` as often as it is there, and one more of `unseen` (at most 0).

    The saddlepoint approximation of R. Lugannani and S. Rice (1980), in the form of O. Barndorff-Nielsen, which for sums of
    exponentials is right to about a hundredth of itself.
    """
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import ndtr

    x = np.append(values, min(unseen, BEYOND * float(values.min()), 0.0))
    weights = np.append(np.full(values.size, times), 1.0)
    scale = float(np.abs(x).max())
    if not math.isfinite(scale) or scale == 0 or x.max() <= 0:
        return 1.0
    if x.min() >= 0:
        return 0.0
    x = x / scale

    def slope(s: float) -> float:
        return float((weights * x / (1 - s * x)).sum())

    # The slope of the cumulant function rises from minus to plus infinity between its two poles.
    poles = (1 / float(x.min()), 1 / float(x.max()))
    margin = 1e-3
    while (slope(poles[0] * (1 - margin)) > 0 or slope(poles[1] * (1 - margin)) < 0) and margin > 1e-14:
        margin /= 10
    low, high = (pole * (1 - margin) for pole in poles)
    s = low if slope(low) >= 0 else high if slope(high) <= 0 else float(brentq(slope, low, high, xtol=1e-14, rtol=1e-14))
    spread = math.sqrt(float((weights * (x / (1 - s * x)) ** 2).sum()))
    r = math.copysign(math.sqrt(max(2 * float(np.sum(weights * np.log1p(-s * x))), 0.0)), s)
    if abs(r) < 1e-4:  # the formula's limit: a sixth of the skewness
        return float(ndtr(r + float((weights * (x / (1 - s * x)) ** 3).sum()) / spread**3 / 3))
    return float(ndtr(r + math.log(s * spread / r) / r))
