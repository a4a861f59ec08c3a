"""The variant answers enough requests a second when they come as fast as it takes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.gates._base import GateConfig, unmeasured
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.gates import Decision

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence, Requests

DESCRIPTION = "Requests are answered at least this fast when all are there at once (MLPerf's offline scenario)."
UNIT = "per s"
BOUND: Literal["at_least"] = "at_least"
BASIS: Literal["load"] = "load"
TESTED_BY = "load_tests"
JUDGES = ("offline",)
DEFAULT = None
limit_key = "min_per_s"

WINDOWS, LEAST = 20, 100
"""Windows of equal length whose rates are the observations, and the fewest answers that fill them."""

MOST_ALIKE = 0.8
"""Largest autocorrelation of windows that so few of them can tell from a rate that just goes on falling."""


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the throughput gate."""

    min_per_s: Annotated[float, Meta(gt=0, description="Fewest requests answered a second.")]


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the lower bound over windows of the run is at least `min_per_s`, FAIL if the upper one is below."""
    if evidence.load.error:
        return unmeasured(evidence.load.error)
    offline = evidence.load.offline
    if offline is None:
        return unmeasured("the offline scenario did not run; it must be among `testing.load.scenarios`")
    if not offline.ok.any():
        return unmeasured(f"none of the {offline.ok.size} requests of the offline scenario was answered")
    per_s = rate(offline, evidence.alpha)
    bounded = math.isfinite(per_s.upper)
    shown = f"{per_s.observed:.4g}/s" + (f" ({per_s.lower:.4g} to {per_s.upper:.4g})" if bounded else "")
    verdict, remedy = Verdict.INCONCLUSIVE, "; raise `testing.load.duration`"
    if not bounded:
        remedy = f"; {int(offline.ok.sum())} answers say too little{remedy}"
    elif per_s.lower >= config.min_per_s:
        verdict, remedy = Verdict.PASS, ""
    elif per_s.upper < config.min_per_s:
        verdict, remedy = Verdict.FAIL, ""
    return Decision(
        verdict=verdict, reason=f"{shown}, wanted {config.min_per_s:.4g}/s{remedy}", observed=per_s.observed,
        lower=per_s.lower if bounded else None, upper=per_s.upper if bounded else None,
    )  # fmt: skip


def rate(requests: Requests, alpha: float) -> Interval:
    """Answers a second with one-sided t bounds over windows; the first and last, which are not whole, are left out.

    Neighbouring windows share the machine's slow phases, so they count for as many independent ones as their first
    autocorrelation says: n (1 - r) / (1 + r), with r raised by what taking the mean away hides of it, (1 + 4 r) / n (Marriott
    and Pope, Biometrika 41, 1954). Taken for independent, windows with r = 0.6 pass 20 % of the time at the exact limit.
    """
    import numpy as np
    from scipy.special import stdtrit

    done = np.sort((requests.start_ns + requests.latency_ns)[requests.ok]) / 1e9
    if done.size < LEAST or not done[-1] > done[0]:
        return Interval(observed=done.size / max(float(done[-1]), 1e-9), lower=0.0, upper=math.inf)
    counts, edges = np.histogram(done, bins=WINDOWS)
    rates = counts[1:-1] / (edges[1] - edges[0])
    n, mean = rates.size, float(rates.mean())
    centred = rates - mean
    squares = float(np.dot(centred, centred))
    if squares == 0:
        return Interval(observed=mean, lower=mean, upper=mean)
    r = float(np.dot(centred[1:], centred[:-1])) / squares
    r = min(max(r + (1 + 4 * r) / n, 0.0), MOST_ALIKE)
    tau = (1 + r) / (1 - r)
    half = float(stdtrit(n / tau - 1, 1 - alpha)) * math.sqrt(squares / (n - 1) * tau / (n - tau))
    return Interval(observed=mean, lower=max(0.0, mean - half), upper=mean + half)
