"""The variant's inference time is consistent: the slow tail (p95) stays close to the median."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.gates._base import Columns, GateConfig, Glance, Ratio, unmeasured
from gatekeeper.gates._rounds import (
    alike,
    alikes,
    clock_error,
    clock_errors,
    clock_too_coarse,
    clocks_too_coarse,
    unusable,
    would_decide,
)
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.many import ratio_bounds
from gatekeeper.stats.rounds import ratio_interval

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.measured import RoundData
    from gatekeeper.stats.many import Array

DESCRIPTION = "p95 latency is at most this fraction above the median."
UNIT = "fraction"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["rounds"] = "rounds"
limit_key = "max_variation"

LEAST_SAMPLES = 20
"""A 95th percentile of fewer inferences is one of the two slowest, and too low on average."""


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the stability gate."""

    max_variation: Annotated[
        float, Meta(gt=0, le=10, description="Largest (p95 - p50) / p50 of the latency within a process.")
    ] = 0.2


DEFAULT = Config()


def ratios(baseline: list[RoundData], variant: list[RoundData]) -> list[Ratio]:
    """Slow tail over median of the variant, of inputs brought to one size where they differ; the baseline does not matter.

    An input that takes long because it is long makes no model inconsistent.
    """
    if alike(variant):
        return [([r.alike_p95_ns or 0.0 for r in variant], [r.alike_median_ns or 0.0 for r in variant])]
    return [([r.p95_ns for r in variant], [r.median_ns for r in variant])]


def to_ratio(limit: float) -> float:
    """20 % above the median is a ratio of 1.2."""
    return 1 + limit


def from_ratio(ratio: float) -> float:
    """The inverse of `to_ratio`."""
    return ratio - 1


def glance(limits: Array, alpha: float, baseline: Columns, variant: Columns, control: Columns) -> Glance:
    """The same of many variants at once."""
    import numpy as np

    errors = clock_errors(variant)
    (slow, middle), (own_slow, own_middle) = _tail(variant), _tail(baseline)
    low, high = (bound - 1 for bound in ratio_bounds(slow, middle, alpha, (errors, errors)))
    own = np.exp(np.log(own_slow / own_middle).mean(axis=-1)) - 1
    sure = (variant["count"].min(axis=-1) >= LEAST_SAMPLES) & ~clocks_too_coarse(slow, middle)
    sure &= np.isfinite(low) & np.isfinite(high) & np.isfinite(own)
    return Glance(low, high, high <= limits, (low > limits) & (own <= limits), sure)


def _tail(arm: Columns) -> tuple[Array, Array]:
    """p95 and median as `ratios` takes them, of shape [n, rounds]."""
    import numpy as np

    sized = alikes(arm)[:, None]
    return tuple(np.where(sized, arm[f"alike_{name}"], arm[name]) for name in ("p95_ns", "median_ns"))  # type: ignore[return-value]


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the upper bound over rounds of ln(p95 / p50) is at most ln(1 + max_variation)."""
    if few := unusable(evidence):
        return few
    rounds = evidence.variant
    if min(r.count for r in rounds) < LEAST_SAMPLES:
        return Decision(
            verdict=Verdict.INCONCLUSIVE,
            reason=f"only {min(r.count for r in rounds)} inferences a round; a p95 needs {LEAST_SAMPLES}: raise `measure.budget`",
        )
    [(slow, middle)] = ratios(evidence.baseline, rounds)
    if coarse := clock_too_coarse(slow, middle):
        return coarse
    ratio = ratio_interval(slow, middle, evidence.alpha, (clock_error(rounds), clock_error(rounds)))
    if not math.isfinite(ratio.observed):
        return unmeasured("the latencies are not numbers")
    observed, lower, upper = ratio.observed - 1, ratio.lower - 1, ratio.upper - 1
    own = ratio_interval(*ratios([], evidence.baseline)[0], evidence.alpha)
    details: dict[str, Any] = {"baseline": own.observed - 1, "rounds": len(rounds), "alike": alike(rounds)}
    if upper <= config.max_variation:
        verdict, reason = Verdict.PASS, f"p95 is {observed:.0%} above the median, at most {upper:.0%}"
    elif lower > config.max_variation and not own.observed - 1 <= config.max_variation:
        # The same runner makes the original model as inconsistent, so this says nothing of the variant.
        verdict = Verdict.INCONCLUSIVE
        reason = (
            f"this runner is too noisy: p95 is {observed:.0%} above the median, and {own.observed - 1:.0%} for the baseline, "
            f"where {config.max_variation:.0%} is allowed; use a quieter runner"
            + (", or set `gates.stability.on_fail: warn`" if config.blocks else "")
        )
    elif lower > config.max_variation:
        verdict = Verdict.FAIL
        reason = f"p95 is {observed:.0%} above the median, allowed {config.max_variation:.0%}; baseline {own.observed - 1:.0%}"
    else:
        verdict = Verdict.INCONCLUSIVE
        help_, needs = would_decide(slow, middle, 1 + config.max_variation, evidence)
        details |= needs
        spread = f"{max(lower, 0):.0%} to {upper:.0%}" if upper < 100 else f"more than {max(lower, 0):.0%}"
        reason = f"p95 is {spread} above the median, which does not decide {config.max_variation:.0%}; {help_}"
    return Decision(verdict=verdict, reason=reason, observed=observed, lower=lower, upper=upper, details=details)
