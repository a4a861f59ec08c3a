"""The variant answers enough requests a second when they come as fast as it takes them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.evidence import Evidence, Requests
from gatekeeper.gates._base import GateConfig, unmeasured
from gatekeeper.records import Decision, Interval, Verdict

DESCRIPTION = "Requests are answered at least this fast when all are there at once (MLPerf's offline scenario)."
UNIT = "per s"
BOUND: Literal["at_least"] = "at_least"
BASIS: Literal["load"] = "load"
TESTED_BY = "load_tests"
DEFAULT = None
limit_key = "min_per_s"

WINDOWS, LEAST = 20, 100
"""Windows of equal length whose rates are the observations, and the fewest answers that fill them."""


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the throughput gate."""

    min_per_s: Annotated[float, Meta(gt=0, description="Fewest requests answered a second.")]


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the lower t bound over windows of the run is at least `min_per_s`."""
    if evidence.load.error:
        return unmeasured(evidence.load.error)
    offline = evidence.load.offline
    if offline is None or not offline.ok.any():
        return unmeasured("nothing was answered in the offline scenario; it must be among `testing.load.scenarios`")
    found = rate(offline, evidence.alpha)
    shown = f"{found.observed:.4g}/s ({found.lower:.4g} to {found.upper:.4g})"
    verdict = Verdict.INCONCLUSIVE
    if found.lower >= config.min_per_s:
        verdict = Verdict.PASS
    elif found.upper < config.min_per_s:
        verdict = Verdict.FAIL
    reason = f"{shown}, wanted {config.min_per_s:.4g}/s" + (
        "; raise `testing.load.duration`" if verdict is Verdict.INCONCLUSIVE else ""
    )
    return Decision(verdict=verdict, reason=reason, observed=found.observed, lower=found.lower, upper=found.upper)


def rate(requests: Requests, alpha: float) -> Interval:
    """Answers a second with one-sided t bounds over windows; the first and last, which are not whole, are left out."""
    import numpy as np
    from scipy.special import stdtrit

    done = np.sort((requests.start_ns + requests.latency_ns)[requests.ok]) / 1e9
    if done.size < LEAST or not done[-1] > done[0]:
        overall = done.size / max(float(done[-1]), 1e-9)
        return Interval(observed=overall, lower=0.0, upper=float("inf"))
    counts, edges = np.histogram(done, bins=WINDOWS)
    rates = counts[1:-1] / (edges[1] - edges[0])
    half = float(stdtrit(rates.size - 1, 1 - alpha)) * float(rates.std(ddof=1)) / float(np.sqrt(rates.size))
    mean = float(rates.mean())
    return Interval(observed=mean, lower=max(0.0, mean - half), upper=mean + half)
