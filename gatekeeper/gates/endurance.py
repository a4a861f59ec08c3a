"""Over a long run neither memory nor latency grows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.evidence import Evidence, Soak
from gatekeeper.gates._base import GateConfig, unmeasured
from gatekeeper.records import Decision, Interval, Verdict
from gatekeeper.stats.soak import drift_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DESCRIPTION = "Over a long run memory grows by at most this fraction, and latency by at most `max_slowdown`."
UNIT = "fraction"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["load"] = "load"
TESTED_BY = "soak"
limit_key = "max_drift"


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of the endurance gate. Only growth counts: less is not a fault."""

    max_drift: Annotated[float, Meta(gt=0, le=10, description="Largest growth of memory over the run.")] = 0.05
    max_slowdown: Annotated[
        float,
        Meta(gt=0, le=10, description="Largest growth of the median latency over the run; shared machines drift themselves."),
    ] = 0.25


DEFAULT = Config()


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if both growths are shown to be within their limits, FAIL if one is shown to be beyond."""
    if evidence.load.error:
        return unmeasured(evidence.load.error)
    soak = evidence.load.soak
    if soak is None or not soak.requests.ok.any():
        return unmeasured("the long run answered nothing")
    memory = drift_interval(soak.memory_s, soak.memory_bytes, evidence.alpha)
    latency = slowdown(soak, evidence.alpha)
    minutes = float(soak.requests.start_ns[-1]) / 6e10
    parts = [
        ("memory", memory, config.max_drift),
        ("latency", latency, config.max_slowdown),
    ]
    verdicts = [_verdict(found, limit) for _, found, limit in parts]
    worst = next((v for v in (Verdict.FAIL, Verdict.INCONCLUSIVE) if v in verdicts), Verdict.PASS)
    shown = ", ".join(f"{name} {_percent(found)} of at most {limit:.0%}" for name, found, limit in parts)
    reason = f"over {minutes:.2g} minutes: {shown}"
    if worst is Verdict.INCONCLUSIVE:
        reason += "; raise `testing.soak.duration`"
    known = math.isfinite(memory.observed)
    return Decision(
        verdict=worst, reason=reason, observed=memory.observed if known else None,
        lower=memory.lower if known else None, upper=memory.upper if known else None,
        details={"latency_drift": latency.observed if math.isfinite(latency.observed) else None},
    )  # fmt: skip


def slowdown(soak: Soak, alpha: float) -> Interval:
    """Drift of the median latency of the requests that were answered."""
    ok: NDArray[np.bool_] = soak.requests.ok
    return drift_interval(soak.requests.start_ns[ok], soak.requests.latency_ns[ok], alpha)


def _verdict(found: Interval, limit: float) -> Verdict:
    if found.upper <= limit:
        return Verdict.PASS
    return Verdict.FAIL if found.lower > limit else Verdict.INCONCLUSIVE


def _percent(found: Interval) -> str:
    if not math.isfinite(found.observed):
        return "not known"
    return f"{found.observed:+.1%} ({found.lower:+.1%} to {found.upper:+.1%})"
