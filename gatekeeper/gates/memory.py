"""The variant's peak memory is at least `reduction` smaller than the baseline's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.gates._base import Columns, GateConfig, Glance, Ratio, unmeasured
from gatekeeper.gates._rounds import too_few, would_decide
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.many import ratio_bounds
from gatekeeper.stats.rounds import ratio_interval

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.measured import RoundData
    from gatekeeper.stats.many import Array

DESCRIPTION = "The variant's peak memory is at least this fraction smaller than the baseline's."
UNIT = "fraction"
BOUND: Literal["at_least"] = "at_least"
BASIS: Literal["rounds"] = "rounds"
GAIN = "`memory: {reduction: -0.1}`"
limit_key = "reduction"

SMALLEST_BASELINE_BYTES = 2 * 2**20
"""Below this a model's footprint drowns in the allocator's and the runtime's own noise."""


LEAST_ROUNDS = 5
"""Fewer readings can agree by chance to the byte, and would look exact."""


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the memory gate."""

    reduction: Annotated[
        float, Meta(gt=-10, lt=1, description="Least reduction of peak memory: 0.5 is half as much, -0.1 a tenth more.")
    ] = 0.5


DEFAULT = Config()


def ratios(baseline: list[RoundData], variant: list[RoundData]) -> list[Ratio]:
    """Peaks of the rounds in which both were read, variant over baseline.

    A variant below the runtime's own noise is at least as small as one byte; the logarithm needs it positive.
    """
    pairs = [
        (float(max(v.peak_bytes, 1)), float(b.peak_bytes))
        for v, b in zip(variant, baseline, strict=True)
        if v.peak_bytes is not None and b.peak_bytes is not None
    ]
    return [([v for v, _ in pairs], [b for _, b in pairs])]


def to_ratio(limit: float) -> float:
    """A reduction by half is a ratio of one half."""
    return 1 - limit


from_ratio = to_ratio


def glance(limits: Array, alpha: float, baseline: Columns, variant: Columns, control: Columns) -> Glance:
    """The same of many variants at once."""
    import numpy as np

    peaks = baseline["peak_bytes"]
    low, high = ratio_bounds(np.maximum(variant["peak_bytes"], 1), peaks, alpha)
    sure = (
        (peaks.mean(axis=-1) >= SMALLEST_BASELINE_BYTES)
        & (peaks.shape[-1] >= LEAST_ROUNDS)
        & np.isfinite(low)
        & np.isfinite(high)
    )
    return Glance(1 - high, 1 - low, 1 - high >= limits, 1 - low < limits, sure)


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the upper bound of ln(variant / baseline) is at most ln(1 - reduction)."""
    if few := too_few(evidence):
        return few
    [(variants, baselines)] = ratios(evidence.baseline, evidence.variant)
    count = len(variants)
    if count < len(evidence.variant):
        return unmeasured("peak memory was not measured in every round")
    baseline = sum(baselines) / count
    details: dict[str, Any] = {
        "baseline_bytes": baseline,
        "variant_bytes": sum(variants) / count,
        "rounds": count,
    }
    if baseline < SMALLEST_BASELINE_BYTES:
        return Decision(
            verdict=Verdict.INCONCLUSIVE,
            reason=f"not measurable: the baseline needs only {baseline / 2**20:.1f} MiB above the bare runtime, which is "
            "within its noise; judge a model this small with `package_size` and set `gates.memory: disabled`",
            details=details,
            settled=True,
        )
    if count < LEAST_ROUNDS:
        return Decision(
            verdict=Verdict.INCONCLUSIVE,
            reason=f"{count} rounds are too few to bound memory; at least {LEAST_ROUNDS}: raise `measure.max_rounds` or "
            "`measure.budget`",
            details=details,
        )
    ratio = ratio_interval(variants, baselines, evidence.alpha)
    if not math.isfinite(ratio.observed):
        return unmeasured("the baseline's memory reads as zero")
    lower, upper = 1 - ratio.upper, 1 - ratio.lower
    observed = 1 - ratio.observed
    if lower >= config.reduction:
        verdict, reason = Verdict.PASS, f"{observed:.0%} smaller, at least {lower:.0%}"
    elif upper < config.reduction:
        how = f"{observed:.0%} smaller, at most {upper:.0%}"
        if round(observed, 2) <= 0:
            how = f"{-observed:.0%} larger than the baseline" if round(observed, 2) < 0 else "as large as the baseline"
        verdict, reason = Verdict.FAIL, f"{how}, needs {config.reduction:.0%}"
    else:
        verdict = Verdict.INCONCLUSIVE
        help_, needs = would_decide(variants, baselines, 1 - config.reduction, evidence)
        details |= needs
        reason = f"between {lower:.0%} and {upper:.0%} smaller, which does not decide {config.reduction:.0%}; {help_}"
    return Decision(verdict=verdict, reason=reason, observed=observed, lower=lower, upper=upper, details=details)
