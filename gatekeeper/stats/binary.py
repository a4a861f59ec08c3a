"""The score test for answers that are right or wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]

UNLIKELY, NUISANCES = 1e-5, 33
"""How unlikely a value of what is not known must be to be left out, and how many of them are tried."""


def score_z(p: Scores, q: Scores, t: float) -> float:
    """Score statistic of H0: P(p = 1) = t * P(q = 1) for paired binary scores.

    Nam and Blackwelder, "Analysis of the ratio of marginal probabilities in a matched-pair setting",
    Statistics in Medicine 21 (2002): the variance uses cell probabilities maximised under H0, which keeps the
    test honest where Wald and bootstrap intervals are not (few or no disagreements).
    """
    import numpy as np

    right_p, right_q = p > 0.5, q > 0.5
    both = int(np.sum(right_p & right_q))
    return z_of_counts(both, int(right_q.sum()) - both, int(right_p.sum()) - both, p.size, t)


def z_of_counts(both: int, only_q: int, only_p: int, n: int, t: float) -> float:
    """The same from how many of n examples both get right, only q and only p."""
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


def right_and_wrong(p: Scores, q: Scores) -> tuple[int, int, int] | None:
    """How many examples both get right, only q and only p; None where a score is neither right nor wrong."""
    import numpy as np

    if not np.isin(p, (0.0, 1.0)).all() or not np.isin(q, (0.0, 1.0)).all():
        return None
    both = int(np.sum((p == 1) & (q == 1)))
    return both, int(np.sum(q == 1)) - both, int(np.sum(p == 1)) - both


def share_of_counts(both: int, only_q: int, only_p: int, examples: int, t: float, alpha: float) -> float:
    """The share of `alpha` at which the score test rejects H0: P(p = 1) <= t * P(q = 1), from its counts; may be above 1."""
    if min(both, only_q, only_p, examples - both - only_q - only_p) < 0:
        raise ValueError(f"{both}, {only_q} and {only_p} are no counts of {examples} examples")
    return math.erfc(z_of_counts(both, only_q, only_p, examples, t) / math.sqrt(2)) / 2 / alpha


def critical(alpha: float) -> float:
    """The statistic from which on H0 is rejected. To import scipy takes longer than to judge a model."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - alpha)


def p_below(both: int, only_q: int, only_p: int, examples: int, t: float) -> float:
    """p-value of H0: P(p = 1) >= t * P(q = 1), from counts of paired binary scores, for every number of examples.

    Of what q gets right, p loses a binomial number, and of what q gets wrong p gets a binomial number right; under H0 the first
    share is at most 1 - t and what the second makes up for. That is not known: the largest p-value over all it may well be,
    R. L. Berger and D. D. Boos, "P values maximized over a confidence set for the nuisance parameter", JASA 89 (1994).
    """
    right = both + only_q
    wrong = max(examples - right, 0)
    if only_q <= only_p or right <= 0:
        return 1.0
    import numpy as np
    from scipy.special import betaincinv

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
