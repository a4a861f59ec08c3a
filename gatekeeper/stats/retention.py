"""How much of the baseline's quality a variant keeps, with bounds, from scores paired by example.

Every rule here tests H0: E[p - t * q] <= 0, where p and q are the two models' scores on one example, and
reports the bounds it implies: the largest and smallest t that are still rejected. With p the variant's and q
the baseline's score that is `retention >= t`; for errors, where lower is better, the roles are swapped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from gatekeeper.records.base import Interval
from gatekeeper.records.scores import PairedScores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]

LARGEST_RATIO = 1e3
UNLIKELY, NUISANCES = 1e-5, 33
"""How unlikely a value of what is not known must be to be left out, and how many of them are tried."""
PRUDENCE = 0.85
"""Share of the level that bounds with an estimated skewness use: the estimate comes from the same few values."""


def retention_interval(scores: PairedScores, alpha: float) -> Interval:
    """Observed retention with one-sided bounds, each at level `alpha`."""
    import numpy as np

    p, q = np.asarray(scores.p, dtype=float), np.asarray(scores.q, dtype=float)
    if p.shape != q.shape or p.ndim != 1:
        raise ValueError(f"scores must be paired: shapes {p.shape} and {q.shape}")
    if scores.kind == "log":
        return _log_retention(p, q, alpha)
    if not p.size or not (np.isfinite(p).all() and np.isfinite(q).all()) or q.mean() <= 0:
        return Interval(observed=math.nan, lower=-math.inf, upper=math.inf)
    reject_low, reject_high = _tests(scores, p, q, alpha)
    observed = float(p.mean() / q.mean())
    lower = _largest_rejected(reject_low, observed)
    upper = _smallest_rejected(reject_high, observed)
    power = scores.power
    if observed < 0:  # a variant worse than no model at all (R2 below zero); its root would mean nothing
        lower, power = -math.inf, 1.0
    return Interval(observed=observed**power, lower=lower if lower < 0 else lower**power, upper=max(upper, 0.0) ** power)


def _log_retention(p: Scores, q: Scores, alpha: float) -> Interval:
    import numpy as np

    if p.size < 2 or not (np.isfinite(p).all() and np.isfinite(q).all()):
        return Interval(observed=math.nan, lower=-math.inf, upper=math.inf)
    difference = skewed_mean_interval(p - q, alpha)
    observed, lower, upper = (math.exp(min(value, 700.0)) for value in (difference.observed, difference.lower, difference.upper))
    return Interval(observed=observed, lower=lower, upper=upper)


def skewed_mean_interval(values: Scores, alpha: float) -> Interval:
    """Mean with one-sided bounds, each at level `alpha`, for values whose distribution leans to one side.

    A few windows of a text may lose much more than the others; Student's t then passes too often. P. Hall, "On the
    Removal of Skewness by Transformation", JRSS-B 54 (1992): the cubic transformation, inverted, with t's quantile.
    """
    import numpy as np
    from scipy.special import stdtrit

    n, mean, spread = values.size, float(values.mean()), float(values.std(ddof=1))
    if spread == 0:
        return Interval(observed=mean, lower=mean, upper=mean)
    skew = float(np.sum((values - mean) ** 3)) / spread**3 * n / ((n - 1) * max(n - 2, 1))
    critical = float(stdtrit(n - 1, 1 - PRUDENCE * alpha)) / math.sqrt(n)

    def untransformed(t: float) -> float:
        return 3 / skew * (float(np.cbrt(1 + skew * (t - skew / (6 * n)))) - 1) if abs(skew) > 1e-6 else t

    return Interval(observed=mean, lower=mean - spread * untransformed(critical), upper=mean - spread * untransformed(-critical))


Test = Callable[[float], bool]


def _tests(scores: PairedScores, p: Scores, q: Scores, alpha: float) -> tuple[Test, Test]:
    """Two tests of a t: is `retention <= t` rejected; is `retention >= t` rejected."""
    import numpy as np

    if scores.kind == "binary":
        from scipy.special import ndtri

        critical = float(ndtri(1 - alpha))
        return (lambda t: score_z(p, q, t) >= critical), (lambda t: score_z(p, q, t) <= -critical)
    if scores.kind == "bounded":
        low, high = scores.low, scores.high
        shuffled = np.random.default_rng(0).permutation(p.size)
        p, q = p[shuffled], q[shuffled]

        def above(t: float) -> bool:
            return betting_rejects((p - t * q - (low - t * high)) / ((high - low) * (1 + t)), _zero(t, low, high), alpha)

        def below(t: float) -> bool:
            return betting_rejects(1 - (p - t * q - (low - t * high)) / ((high - low) * (1 + t)), 1 - _zero(t, low, high), alpha)

        return above, below

    from gatekeeper.stats.rounds import mean_interval

    return (
        lambda t: mean_interval((p - t * q).tolist(), alpha).lower > 0,
        lambda t: mean_interval((p - t * q).tolist(), alpha).upper < 0,
    )


def _zero(t: float, low: float, high: float) -> float:
    """Where a contrast of 0 falls once p - t*q, in [low - t*high, high - t*low], is mapped onto [0, 1]."""
    return (t * high - low) / ((high - low) * (1 + t))


def score_z(p: Scores, q: Scores, t: float) -> float:
    """Score statistic of H0: P(p = 1) = t * P(q = 1) for paired binary scores.

    Nam and Blackwelder, "Analysis of the ratio of marginal probabilities in a matched-pair setting",
    Statistics in Medicine 21 (2002): the variance uses cell probabilities maximised under H0, which keeps the
    test honest where Wald and bootstrap intervals are not (few or no disagreements).
    """
    import numpy as np

    n = p.size
    right_p, right_q = p > 0.5, q > 0.5
    both = int(np.sum(right_p & right_q))
    only_q, only_p = int(right_q.sum()) - both, int(right_p.sum()) - both
    answered = both + only_q + only_p
    if answered == 0:
        return 0.0
    s, u = answered / n, (1 - t) * answered / n
    # Likelihood equation in x = P(q only) under p01 = (x - u) / t: a quadratic whose larger root is feasible.
    a = (1 + t) * answered
    b = (both + only_q) * (1 + t) * u + (only_q + only_p) * s
    root = b * b - 4 * a * only_q * u * s
    q10 = (b + math.sqrt(max(root, 0.0))) / (2 * a)
    q01 = max((q10 - u) / t, 0.0)
    q11 = max(s - q10 - q01, 0.0)
    variance = (1 - t) ** 2 * q11 + t**2 * q10 + q01
    difference = (both + only_p) / n - t * (both + only_q) / n
    if variance <= 0:
        return 0.0 if difference == 0 else math.copysign(math.inf, difference)
    return math.sqrt(n) * difference / math.sqrt(variance)


def p_below(both: int, only_q: int, only_p: int, examples: int, t: float) -> float:
    """p-value of H0: P(p = 1) >= t * P(q = 1), from counts of paired binary scores, for every number of examples.

    Of what q gets right, p loses a binomial number, and of what q gets wrong p gets a binomial number right; under H0 the first
    share is at most 1 - t and what the second makes up for. That is not known: the largest p-value over all it may well be,
    R. L. Berger and D. D. Boos, "P values maximized over a confidence set for the nuisance parameter", JASA 89 (1994).
    """
    import numpy as np
    from scipy.special import betaincinv

    right = both + only_q
    wrong = max(examples - right, 0)
    if only_q <= only_p or right <= 0:
        return 1.0
    most = 1.0 if only_p >= wrong else float(betaincinv(only_p + 1, wrong - only_p, 1 - UNLIKELY))
    gains = np.linspace(0.0, most, NUISANCES) if wrong else np.zeros(1)
    worst = max(_p_of_losses(right, wrong, only_q - only_p, 1 - t, float(gain)) for gain in gains)
    return min(1.0, worst + (UNLIKELY if wrong else 0.0))


def _p_of_losses(right: int, wrong: int, net: int, share: float, gain: float) -> float:
    """P(losses - gains >= net) where a share of `gain` of the wrong answers turns right and the losses make up for it."""
    import numpy as np
    from scipy.special import bdtrc, gammaln, xlog1py, xlogy

    loss = min(1.0, share + gain * wrong / right)
    gained = np.arange(wrong + 1)
    log = gammaln(wrong + 1) - gammaln(gained + 1) - gammaln(wrong - gained + 1) + xlogy(gained, gain)
    chances = np.exp(log + xlog1py(wrong - gained, -gain))
    needed = net + gained - 1
    return float(np.sum(chances * np.where(needed < right, bdtrc(np.minimum(needed, right), right, loss), 0.0)))


def betting_rejects(x: Scores, mean: float, alpha: float) -> bool:
    """Whether H0: E[x] <= mean is rejected for independent x in [0, 1], without assuming a distribution.

    Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B (2024), the
    predictable plug-in bet of section 4: a gambler whose wealth is a supermartingale under H0 reaches 1/alpha
    with probability at most alpha (Ville's inequality).
    """
    import numpy as np

    if mean <= 0:
        return bool(x.mean() > mean) if mean < 0 else False
    if mean >= 1:
        return False
    count = np.arange(1, x.size + 1)
    means = (0.5 + np.cumsum(x)) / (count + 1)
    variances = (0.25 + np.cumsum((x - means) ** 2)) / (count + 1)
    previous = np.concatenate([[0.25], variances[:-1]])
    bets = np.minimum(np.sqrt(2 * math.log(1 / alpha) / (x.size * previous)), 0.75 / mean)
    return bool(np.cumsum(np.log1p(bets * (x - mean))).max() >= math.log(1 / alpha))


def _largest_rejected(rejected: Test, start: float) -> float:
    """The largest t below `start` with `rejected(t)`, by bisection; 0 if there is none."""
    low, high = 0.0, max(start, 1e-9)
    if not rejected(1e-9):
        return 0.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if middle > 0 and rejected(middle) else (low, middle)
    return low


def _smallest_rejected(rejected: Test, start: float) -> float:
    """The smallest t above `start` with `rejected(t)`; infinite if none up to `LARGEST_RATIO`."""
    low, high = max(start, 1e-9), LARGEST_RATIO
    if not rejected(high):
        return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rejected(middle) else (middle, high)
    return high
