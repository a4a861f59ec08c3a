"""After a long run the server needs no more memory, is no slower than a fresh one, and answers as it did."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.gates._base import GateConfig, Told, unmeasured
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.closed import share_of_bound
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.rounds import ratio_interval
from gatekeeper.stats.soak import LEAST_POINTS, drift_interval
from gatekeeper.stats.tail import Tail, decided_tail, judge_tail
from gatekeeper.units import format_duration

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence

DESCRIPTION = "Over a long run memory grows by at most this fraction; latency by `max_slowdown`, and errors to `max_errors`."
UNIT = "fraction"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["load"] = "load"
TESTED_BY = "load_tests"
JUDGES = ("soak", "server")  # without a soak of its own, the server scenario was long enough to be it
limit_key = "max_drift"


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of the endurance gate. Only growth counts: less is not a fault."""

    max_drift: Annotated[float, Meta(gt=0, le=10, description="Largest growth of the server's memory over the run.")] = 0.05
    max_slowdown: Annotated[
        float,
        Meta(gt=0, le=10, description="How much slower than a server just started, measured in turns after the run, it may be."),
    ] = 0.25
    max_errors: Annotated[
        float, Meta(gt=0, lt=1, description="Largest share of requests of the second half of the run that may fail.")
    ] = 0.01


DEFAULT = Config()

REMEDIES = (
    "raise `testing.soak.duration`",
    "the machine is too noisy to tell: use a quieter one, or raise `max_slowdown`",
    "raise `testing.soak.duration` to see how often that happens",
)
"""What would decide memory, latency and errors."""


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if memory, latency and errors are shown to be within their limits, FAIL if one is shown to be beyond."""
    if evidence.load.error:
        return unmeasured(evidence.load.error)
    soak = evidence.load.soak
    if soak is None:
        return unmeasured("the long run did not run")
    if not soak.requests.ok.any():
        return unmeasured(f"the long run answered none of its {soak.requests.ok.size} requests")
    if (answered := int(soak.requests.ok.sum())) < LEAST_POINTS:
        few = f"only {answered} requests were answered, {LEAST_POINTS} are needed; raise `testing.soak.duration`"
        return Decision(verdict=Verdict.INCONCLUSIVE, reason=few)
    memory = drift_interval(soak.memory_s, soak.memory_bytes, evidence.alpha)
    paired = len(soak.aged_ms) == len(soak.fresh_ms)  # else one of the servers did not last: nothing is known
    ratio = ratio_interval(*((soak.aged_ms, soak.fresh_ms) if paired else ([], [])), evidence.alpha)
    latency = Interval(observed=ratio.observed - 1, lower=ratio.lower - 1, upper=ratio.upper - 1)
    half = soak.requests.ok[soak.requests.ok.size // 2 :]
    errors = judge_tail(~half, evidence.alpha, config.max_errors)
    growths = [("memory", memory, config.max_drift), ("latency beside a fresh server", latency, config.max_slowdown)]
    verdicts = [*(_verdict(growth, limit) for _, growth, limit in growths), _errors(errors, config.max_errors)]
    worst = next((v for v in (Verdict.FAIL, Verdict.INCONCLUSIVE) if v in verdicts), Verdict.PASS)
    shown = [f"{name} {_percent(growth)} of at most {limit:.0%}" for name, growth, limit in growths]
    if errors.share:
        shown.append(f"{errors.share:.2%} of the second half failed, of at most {config.max_errors:.0%}")
    reason = f"over {format_duration(float(soak.requests.start_ns[-1]) / 1e9)}: {', '.join(shown)}"
    if worst is Verdict.INCONCLUSIVE:
        reason += "; " + " and ".join(r for v, r in zip(verdicts, REMEDIES, strict=True) if v is worst)
    known = math.isfinite(memory.observed)
    # The bounds are those of memory: where something else does not pass, they must not be what a waiver is held against.
    bounded = known and all(verdict is Verdict.PASS for verdict in verdicts[1:])
    return Decision(
        verdict=worst, reason=reason, observed=memory.observed if known else None,
        lower=memory.lower if bounded else None, upper=memory.upper if bounded else None,
        details={
            "slowdown": latency.observed if math.isfinite(latency.observed) else None, "errors": errors.share,
            "bounds": {"memory": _ends(memory), "slowdown": _ends(latency)}, "tau": errors.tau, "requests": errors.requests,
            "max_slowdown": config.max_slowdown, "max_errors": config.max_errors,
        },
    )  # fmt: skip


def again(config: Config, told: Told) -> Verdict:
    """What the report's numbers decide: bounds of memory and latency, and the errors of the second half."""
    details, tested = told.gate.details, told.variant.tested
    runs = {run.scenario: run for run in tested.load} if tested else {}
    run = next((runs[name] for name in JUDGES if name in runs), None)
    if run is None or run.requests <= run.errors + run.shed:
        return Verdict.ERROR
    if run.requests - run.errors - run.shed < LEAST_POINTS:
        return Verdict.INCONCLUSIVE
    try:
        memory = _verdict(_interval(details["bounds"]["memory"]), config.max_drift)
        latency = _verdict(_interval(details["bounds"]["slowdown"]), config.max_slowdown)
        n, share, tau = int(details["requests"]), float(details["errors"]), float(details["tau"])
        errors = decided_tail(n, round(share * n), tau, told.alpha, config.max_errors)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):  # another's report, or an earlier version's
        return Verdict.ERROR
    verdicts = [memory, latency, _errors(errors, config.max_errors)]
    if told.gate.lower is not None and told.gate.lower > config.max_drift:
        verdicts.append(Verdict.FAIL)
    return next((v for v in (Verdict.FAIL, Verdict.INCONCLUSIVE) if v in verdicts), Verdict.PASS)


def share(told: Told) -> float:
    """Memory's and latency's, whichever is the larger; errors are only looked at for a fault."""
    gate, details = told.gate, told.gate.details
    try:
        grown = gate.observed, gate.upper, gate.limit
        slower = details["slowdown"], details["bounds"]["slowdown"][1], details.get("max_slowdown", DEFAULT.max_slowdown)
        return max(
            share_of_bound(float(seen), float(upper), float(limit), ALPHA)  # type: ignore[arg-type]
            for seen, upper, limit in (grown, slower)
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):  # another's report, or an earlier version's
        return 1.0


def _interval(ends: list[float | None]) -> Interval:
    low, high = ends
    return Interval(observed=math.nan, lower=-math.inf if low is None else low, upper=math.inf if high is None else high)


def _ends(interval: Interval) -> list[float | None]:
    """Both bounds; what is open is None."""
    return [bound if math.isfinite(bound) else None for bound in (interval.lower, interval.upper)]


def _verdict(interval: Interval, limit: float) -> Verdict:
    if interval.upper <= limit:
        return Verdict.PASS
    return Verdict.FAIL if interval.lower > limit else Verdict.INCONCLUSIVE


def _errors(second_half: Tail, limit: float) -> Verdict:
    """That few requests fail is for `error_rate` to show; here, that there are not more of them by the end."""
    if second_half.decided == "fail" or second_half.share == 1:
        return Verdict.FAIL
    # More than the limit and undecided is one long outage, of which nobody can say how often it comes.
    return Verdict.PASS if second_half.share <= limit else Verdict.INCONCLUSIVE


def _percent(interval: Interval) -> str:
    if not math.isfinite(interval.observed):
        return "not known"
    return f"{interval.observed:+.1%} ({interval.lower:+.1%} to {interval.upper:+.1%})"
