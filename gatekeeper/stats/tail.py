"""Whether at most 1 % of requests are over a latency limit, when the slow ones come in bursts.

Requests that are slow for one reason (a garbage collection, a neighbour's burst) are one observation, not many. The
counts are therefore divided by tau, the number of requests that carry the evidence of one, before a binomial test.
What no test can see is a burst that did not happen: with n requests, exactly
1 % over and bursts longer than n / 700 or so, a sample without a typical burst is common and looks perfect. `least_tau`
states what is expected: 2 * mean burst length - 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from gatekeeper.stats.looks import ALPHA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

SHARE = 0.01
"""The share of requests that may be over the limit: what a p99 is."""

LEAST_EFFECTIVE = 1000
"""Effective requests below which there is no verdict: fewer than ten independent ones over the limit are expected."""

_LARGEST = 10**9


@dataclass(frozen=True)
class Tail:
    """What an over-limit sequence shows about `share of requests over the limit <= allowed`, at level `alpha`.

    `p_pass` is the p-value against "more than allowed", `p_fail` that against "at most allowed"; both use counts
    divided by `tau`.
    """

    requests: int
    share: float
    tau: float
    p_pass: float
    p_fail: float
    decided: Literal["pass", "fail"] | None
    alpha: float = ALPHA
    allowed: float = SHARE

    @cached_property
    def needed(self) -> int | None:
        """How many requests would have decided at this share and this tau, searched for when somebody asks.

        None where the verdict is known or where no number would do (the share is the allowed one).
        """
        if self.decided:
            return None
        if not self.requests:
            return math.ceil(LEAST_EFFECTIVE * self.tau)
        return requests_needed(self.share, self.tau, self.alpha, self.allowed)


def judge_tail(over: ArrayLike, alpha: float = ALPHA, allowed: float = SHARE, least_tau: float = 1.0) -> Tail:
    """Decide on over-limit indicators of shape [n], in the order of the intended starts; errors and timeouts are over.

    With fewer than 1000 tau requests there is no verdict, but for one: by Markov's inequality a share of at least
    allowed / alpha has a probability of at most alpha whatever the bursts, so a service that is down is a failure. That
    alpha is the first attempt's in every later one too, whose budget shrinks so that passing by repetition does not pay.
    """
    import numpy as np

    flags = np.asarray(over)
    if flags.dtype != bool or flags.ndim != 1:
        raise ValueError(f"over-limit indicators must be booleans of shape [n], not {flags.dtype} of shape {flags.shape}")
    n, count = int(flags.size), int(flags.sum())
    if n == 0:
        return Tail(0, math.nan, least_tau, 1.0, 1.0, None, alpha, allowed)
    return decided_tail(n, count, max(least_tau, requests_per_observation(flags)), alpha, allowed)


def decided_tail(n: int, count: int, tau: float, alpha: float = ALPHA, allowed: float = SHARE) -> Tail:
    """The decision on `count` of n requests over the limit, of which tau carry the evidence of one."""
    share = count / n
    p_pass, p_fail = share_p_values(count / tau, n / tau, allowed)
    decided: Literal["pass", "fail"] | None = None
    if n < LEAST_EFFECTIVE * tau:
        decided = "fail" if share * max(alpha, ALPHA) >= allowed else None
    elif p_pass <= alpha:
        decided = "pass"
    elif p_fail <= alpha:
        decided = "fail"
    return Tail(n, share, tau, p_pass, p_fail, decided, alpha, allowed)


def requests_per_observation(over: NDArray[np.bool_]) -> float:
    """tau: how many requests carry the evidence of one independent request, at least 1; `over` has shape [n].

    The largest of three estimates. The variance ratio of batch means, b Var(batch mean) / (p (1-p)), with batches of
    sqrt(n) and of twice that (Flegal and Jones, "Batch means and spectral variance estimators in Markov chain Monte
    Carlo", Annals of Statistics 38, 2010); one size alone misses its promise where latencies are autoregressive. And
    2 * mean burst length - 1, the asymptotic variance ratio of a two-state Markov chain with rare bursts.
    """
    import numpy as np

    n, count = over.size, int(over.sum())
    if count == 0:
        return 1.0
    bursts = int(over[0]) + int(np.count_nonzero(over[1:] & ~over[:-1]))
    tau = max(1.0, 2 * count / bursts - 1)
    share = count / n
    for size in (math.isqrt(n), 2 * math.isqrt(n)):
        batches = n // size
        if batches >= 2 and count < n:
            means = over[: size * batches].reshape(batches, size).mean(axis=1)
            tau = max(tau, size * float(means.var(ddof=1)) / (share * (1 - share)))
    return tau


def share_p_values(count: float, n: float, allowed: float = SHARE) -> tuple[float, float]:
    """Exact one-sided binomial p-values of `count` effective requests over the limit among `n`: (pass, fail).

    Fractions are rounded against the verdict in question.
    """
    from scipy.special import bdtr, bdtrc

    p_pass = float(bdtr(math.ceil(count), math.floor(n), allowed)) if count < math.floor(n) else 1.0
    least, most = math.floor(count), math.ceil(n)
    p_fail = float(bdtrc(least - 1, most, allowed)) if least > 0 else 1.0
    return p_pass, p_fail


def least_requests(count: int, alpha: float, allowed: float = SHARE) -> int:
    """The fewest independent requests of which `count` may be over the limit and a pass still be shown at `alpha`."""
    from scipy.special import bdtr

    low, high = count, count + 1
    while float(bdtr(count, high, allowed)) > alpha:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if float(bdtr(count, middle, allowed)) <= alpha else (middle, high)
    return high


def requests_needed(share: float, tau: float, alpha: float, allowed: float = SHARE) -> int | None:
    """About how many requests (to 2 %) decide if `share` of them are over the limit; None if a billion would not."""
    import numpy as np

    def decides(n: int) -> bool:
        return share_p_values(share * n, n, allowed)[0 if share < allowed else 1] <= alpha

    high = LEAST_EFFECTIVE
    while not decides(high):
        high *= 2
        if high > _LARGEST:
            return None
    if high == LEAST_EFFECTIVE:
        return math.ceil(high * tau)
    nearer = (int(n) for n in np.geomspace(high // 2, high, 36))
    return math.ceil(next((n for n in nearer if decides(n)), high) * tau)
