"""The variant answers at least `min` times as fast as the baseline (median latency, same machine, same rounds)."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.evidence import Evidence
from gatekeeper.gates._base import GateConfig, unmeasured
from gatekeeper.records import Decision, Interval, Verdict
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
    """PASS if the lower bound of the ratio clears the limit, FAIL if the upper bound misses it."""
    if not evidence.variant:
        return unmeasured("no latency was measured")
    if len(evidence.control) != len(evidence.variant):
        return unmeasured("the A/A control was not measured")
    baseline = [r.median_ns for r in evidence.baseline]
    ratio = ratio_interval(baseline, [r.median_ns for r in evidence.variant], evidence.alpha)
    control = ratio_interval(baseline, [r.median_ns for r in evidence.control], evidence.alpha)
    bias = control_bias(control)
    details = {"rounds": len(evidence.variant), "control": [control.lower, control.upper]}
    verdict, reason = Verdict.INCONCLUSIVE, ""
    if not (math.isfinite(ratio.observed) and math.isfinite(control.observed)):
        return unmeasured("the latencies are not numbers")
    if ratio.lower >= config.min:
        if ratio.lower >= config.min * bias:
            verdict, reason = Verdict.PASS, f"{ratio.observed:.2f}x as fast, at least {ratio.lower:.2f}x"
        else:
            reason = too_noisy(control)
    elif ratio.upper < config.min:
        if ratio.upper < config.min / bias:
            verdict, reason = Verdict.FAIL, f"{_speed(ratio)}, needs {config.min:g}x"
        else:
            reason = too_noisy(control)
    else:
        reason = (
            f"between {ratio.lower:.2f}x and {ratio.upper:.2f}x after {len(evidence.variant)} rounds, "
            f"which does not decide {config.min:g}x"
        )
    return Decision(
        verdict=verdict, reason=reason, observed=ratio.observed, lower=ratio.lower, upper=ratio.upper, details=details
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
