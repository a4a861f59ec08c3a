"""The variant answers at least `min` times as fast as the baseline (median latency, same machine, same rounds)."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.evidence import Evidence
from gatekeeper.gates._base import GateConfig, Ratio, unmeasured
from gatekeeper.gates._rounds import clock_too_coarse, too_few, would_decide
from gatekeeper.records import Decision, Interval, RoundData, Verdict
from gatekeeper.stats.rounds import ratio_interval

DESCRIPTION = "The variant is at least this many times as fast as the baseline."
UNIT = "x"
BOUND: Literal["at_least"] = "at_least"
BASIS: Literal["rounds"] = "rounds"
limit_key = "min"


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the speedup gate."""

    min: Annotated[float, Meta(gt=0, le=1000, description="Least ratio baseline latency / variant latency.")] = 2.0


DEFAULT = Config()


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the lower bounds of the ratios clear the limit, FAIL if the upper bound of the medians' ratio misses it."""
    if few := too_few(evidence):
        return few
    if len(evidence.control) != len(evidence.variant):
        return unmeasured("the A/A control was not measured")
    medians, fastest = ratios(evidence.baseline, evidence.variant)
    if coarse := clock_too_coarse(*medians):
        return coarse
    ratio, fast = ratio_interval(*medians, evidence.alpha), ratio_interval(*fastest, evidence.alpha)
    control = ratio_interval(*ratios(evidence.baseline, evidence.control)[0], evidence.alpha)
    if not all(math.isfinite(found.observed) for found in (ratio, fast, control)):
        return unmeasured("the latencies are not numbers")
    verdict, reason, undecided = _decide(config.min, ratio, fast, control, len(evidence.variant))
    details: dict[str, Any] = {
        "rounds": len(evidence.variant),
        "control": [control.lower, control.upper],
        "fastest_tenth": [fast.observed, fast.lower, fast.upper],
    }
    if undecided:
        help_, needs = would_decide(*(medians if undecided == "medians" else fastest), config.min, evidence)
        reason, details = f"{reason}; {help_}", details | needs
    return Decision(
        verdict=verdict, reason=reason, observed=ratio.observed, lower=ratio.lower, upper=ratio.upper, details=details
    )


def _decide(
    limit: float, ratio: Interval, fast: Interval, control: Interval, rounds: int
) -> tuple[Verdict, str, Literal["", "medians", "fastest"]]:
    """Verdict and reason, and which ratio more rounds would decide, if any would."""
    bias = control_bias(control)
    if ratio.lower >= limit:
        if not ratio.lower >= limit * bias:
            return Verdict.INCONCLUSIVE, too_noisy(control), ""
        if not fast.lower >= limit:
            return Verdict.INCONCLUSIVE, _disturbed(ratio, fast, limit), "fastest" if fast.observed > limit else ""
        return Verdict.PASS, f"{ratio.observed:.2f}x as fast, at least {ratio.lower:.2f}x", ""
    if ratio.upper < limit:
        if not ratio.upper < limit / bias:
            return Verdict.INCONCLUSIVE, too_noisy(control), ""
        return Verdict.FAIL, f"{_speed(ratio)}, needs {limit:g}x", ""
    found = f"between {ratio.lower:.2f}x and {ratio.upper:.2f}x after {rounds} rounds, which does not decide {limit:g}x"
    return Verdict.INCONCLUSIVE, found, "medians"


def ratios(baseline: list[RoundData], variant: list[RoundData]) -> list[Ratio]:
    """Medians, and the fastest tenths; both must clear the limit."""
    return [
        ([r.median_ns for r in baseline], [r.median_ns for r in variant]),
        ([r.p10_ns for r in baseline], [r.p10_ns for r in variant]),
    ]


def to_ratio(limit: float) -> float:
    """The limit is a ratio."""
    return limit


from_ratio = to_ratio


def _disturbed(ratio: Interval, fast: Interval, limit: float) -> str:
    """Why a clear median is not enough.

    Other load interrupts a slow inference more often than a fast one, so on a busy machine the ratio of the medians
    can be twice what it is on a quiet one. The fastest tenth of the inferences are those that met least of it.
    """
    return (
        f"this runner is too busy: the medians say {ratio.observed:.2f}x, but the fastest tenth of inferences, which other load "
        f"disturbs least, {fast.observed:.2f}x (at least {fast.lower:.2f}x), and both must clear {limit:g}x"
    )


def control_bias(control: Interval) -> float:
    """The factor by which this runner may mistake one model for another, 1.0 if it shows none.

    Two copies of the baseline must measure alike. When their interval excludes 1 the runner treats arms
    unequally; a verdict must then hold even if the whole difference were added to the variant.
    """
    if not math.isfinite(control.observed) or control.lower <= 1 <= control.upper:
        return 1.0
    return max(control.upper, 1 / control.lower)


def too_noisy(control: Interval) -> str:
    """Why a clear-looking ratio is not believed."""
    return (
        f"this runner is too noisy: two copies of the baseline differ by {control.lower:.2f}x to {control.upper:.2f}x; "
        "use a quieter runner or pin `threads`"
    )


def _speed(ratio: Interval) -> str:
    if ratio.observed < 1:
        return f"{1 / ratio.observed:.2f}x slower than the baseline"
    return f"{ratio.observed:.2f}x as fast, at most {ratio.upper:.2f}x"
