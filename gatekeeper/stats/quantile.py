"""A quantile of latencies with bounds that hold where slow requests come in bursts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gatekeeper.records.base import Interval
from gatekeeper.stats.tail import SHARE, requests_per_observation

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Requests


def quantile(requests: Requests, alpha: float, share: float = SHARE) -> Interval:
    """The p99 in nanoseconds with order-statistic bounds, failed requests at infinity; bursts widen them.

    The k-th smallest of n independent values is below the quantile q with probability P(Bin(n, q) >= k): David and Nagaraja,
    "Order Statistics", 7.1. Where there are too few requests for an upper bound, it is the largest value that was seen.
    """
    return bounded_quantile(requests, alpha, share)[0]


def bounded_quantile(requests: Requests, alpha: float, share: float = SHARE) -> tuple[Interval, bool]:
    """The same, and whether there were enough requests for the upper bound to be one."""
    import numpy as np
    from scipy.stats import binom

    values = np.sort(np.where(requests.ok, requests.latency_ns, np.inf))
    n = values.size
    tau = requests_per_observation(~requests.ok | (requests.latency_ns >= values[min(n - 1, int((1 - share) * n))]))
    effective = max(1, int(n / tau))
    middle = min(n - 1, int((1 - share) * n))
    low = math.floor((float(binom.ppf(alpha, effective, 1 - share)) - 1) / effective * n)
    high = math.ceil(float(binom.ppf(1 - alpha, effective, 1 - share)) / effective * n)
    interval = Interval(
        observed=float(values[middle]),
        lower=float(values[min(low, middle)]) if low >= 0 else 0.0,
        upper=float(values[min(max(high, middle), n - 1)]),
    )
    return interval, high < n
