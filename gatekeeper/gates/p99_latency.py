"""Under the declared load, at most 1 % of requests take longer than the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.gates._base import GateConfig, Told, unmeasured
from gatekeeper.gates._load import counted, more, said, served, unserved, verdict
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.quantile import bounded_quantile, quantile
from gatekeeper.stats.tail import SHARE, judge_tail
from gatekeeper.units import format_number

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence

DESCRIPTION = "At most 1 % of requests under load take longer than this, or fail."
UNIT = "ms"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["load"] = "load"
TESTED_BY = "load_tests"
JUDGES = ("server",)
limit_key = "max_ms"
SAME_AS = ("testing", "load", "p99_ms")

ROUNDING = 1e-9


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the p99 latency gate."""

    max_ms: Annotated[
        Annotated[float, Meta(gt=0, le=3.6e6)] | None,
        Meta(
            description="Longest p99 from the intended start, in milliseconds; default: what the baseline's may be at that rate."
        ),
    ] = None


DEFAULT = Config()


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the share of requests over the limit is shown to be at most 1 %; a failed request is over it."""
    if nothing := unserved(evidence):
        return nothing
    load = evidence.load
    assert load.server is not None
    limit, whose = config.max_ms, ""
    if limit is None:
        if load.baseline is None or not load.baseline.ok.size:
            return unmeasured("there is no limit: set `testing.load.p99_ms`, or let the baseline be measured")
        # At the first attempt's alpha in every attempt: a smaller one would be a looser limit.
        limit, whose = quantile(load.baseline, ALPHA).upper / 1e6, ", what the baseline's p99 may be at that rate"
    if not limit < float("inf"):
        return Decision(
            verdict=Verdict.INCONCLUSIVE,
            reason="the baseline itself fails at this rate, and no limit is declared: set `testing.load.p99_ms`",
        )
    server = load.server
    tail = judge_tail(~server.ok | (server.latency_ns > limit * 1e6), evidence.alpha)
    interval, bounded = bounded_quantile(server, evidence.alpha)
    observed, lower, upper = (value / 1e6 for value in (interval.observed, interval.lower, interval.upper))
    shown = f"p99 {format_number(observed)} ms" if finite(observed) else "no p99, more than 1 % have no answer"
    decided = verdict(tail)
    reason = f"{shown}: {tail.share:.2%} of {said(server, load.target_qps)} over {format_number(limit)} ms{whose}"
    details: dict[str, Any] = {"share": tail.share, "tau": tail.tau, "requests": tail.requests, "needed": tail.needed}
    return Decision(
        verdict=decided, reason=reason + (more(tail) if decided is Verdict.INCONCLUSIVE else ""),
        observed=finite(observed), lower=finite(lower), upper=finite(upper) if bounded else None, limit=limit,
        measured_limit=config.max_ms is None, details=details,
    )  # fmt: skip


def finite(value: float) -> float | None:
    """None where more than that share failed: there is no such latency."""
    return value if value < float("inf") else None


def again(config: Config, told: Told) -> Verdict:
    """What the report's counts decide; a limit that was measured is no larger than the baseline's slowest request."""
    gate, baseline = told.gate, served(told.leg.tested)
    limit = gate.limit if config.max_ms is None else config.max_ms
    if config.max_ms is None and (baseline is None or baseline.max_ns is None):
        return Verdict.ERROR if baseline is None else Verdict.INCONCLUSIVE
    if config.max_ms is None and gate.limit is None:
        return Verdict.INCONCLUSIVE  # the baseline itself fails at this rate
    if config.max_ms is None and baseline and not 0 < (gate.limit or 0) <= (baseline.max_ns or 0) / 1e6 * (1 + ROUNDING):
        return Verdict.ERROR
    share = gate.details.get("share")
    tail = counted(told, float(share), SHARE) if isinstance(share, int | float) and 0 <= share <= 1 else None
    if tail is None:
        return Verdict.ERROR
    over = gate.lower is not None and limit is not None and gate.lower > limit
    return Verdict.FAIL if over else verdict(tail)
