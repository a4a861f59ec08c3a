"""The variant's median latency is at most so many milliseconds on its target, whatever the original takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.gates import _most
from gatekeeper.gates._base import GateConfig, Ratio, unmeasured
from gatekeeper.gates._rounds import clock_error, clock_too_coarse, unusable
from gatekeeper.stats.rounds import ratio_interval

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.gates import Decision
    from gatekeeper.records.measured import RoundData

DESCRIPTION = "The variant's median latency is at most this many milliseconds."
UNIT = "ms"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["rounds"] = "rounds"
DEFAULT = None
limit_key = "max"
MS = 1e6


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the median latency."""

    max: Annotated[float, Meta(gt=0, le=1e7, description="Longest median latency of an inference, in milliseconds.")]


def ratios(baseline: list[RoundData], variant: list[RoundData]) -> list[Ratio]:
    """The variant's medians in milliseconds, over one; the baseline does not matter."""
    return [([r.median_ns / MS for r in variant], [1.0] * len(variant))]


def to_ratio(limit: float) -> float:
    """The limit itself: the ratio is to one millisecond."""
    return limit


from_ratio = to_ratio


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the upper bound over rounds of the geometric mean of the medians is at most `max`, FAIL if the lower is above."""
    if few := unusable(evidence):
        return few
    [(medians, ones)] = ratios(evidence.baseline, evidence.variant)
    if coarse := clock_too_coarse(medians, ones):
        return coarse
    took = ratio_interval(medians, ones, evidence.alpha, (clock_error(evidence.variant) / MS, 0.0))
    if not math.isfinite(took.observed):
        return unmeasured("the latencies are not numbers")
    return _most.decide(config.max, took, medians, UNIT, evidence)
