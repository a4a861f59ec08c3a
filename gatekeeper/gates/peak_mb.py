"""The variant's peak memory is at most so many megabytes, whatever the original takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.gates import _most
from gatekeeper.gates._base import GateConfig, Ratio, unmeasured
from gatekeeper.gates._rounds import too_few
from gatekeeper.gates.memory import LEAST_ROUNDS
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.rounds import ratio_interval

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.measured import RoundData

DESCRIPTION = "The variant's peak memory, beside that of the bare runtime, is at most this many megabytes."
UNIT = "MB"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["rounds"] = "rounds"
DEFAULT = None
limit_key = "max"
MB = 1e6


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the peak memory."""

    max: Annotated[
        float, Meta(gt=0, le=1e9, description="Most memory that the model takes beside the bare runtime, in MB (10^6 bytes).")
    ]


def ratios(baseline: list[RoundData], variant: list[RoundData]) -> list[Ratio]:
    """The variant's peaks in megabytes, over one; the baseline does not matter. A peak within the runtime's noise is one byte."""
    peaks = [max(r.peak_bytes, 1) / MB for r in variant if r.peak_bytes is not None]
    return [(peaks, [1.0] * len(peaks))]


def to_ratio(limit: float) -> float:
    """The limit itself: the ratio is to one megabyte."""
    return limit


from_ratio = to_ratio


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the upper bound over rounds of the geometric mean of the peaks is at most `max`, FAIL if the lower is above."""
    if few := too_few(evidence):
        return few
    [(peaks, ones)] = ratios(evidence.baseline, evidence.variant)
    if len(peaks) < len(evidence.variant):
        return unmeasured("peak memory was not measured in every round")
    if len(peaks) < LEAST_ROUNDS:
        few_rounds = f"{len(peaks)} rounds are too few to bound memory; at least {LEAST_ROUNDS}"
        return Decision(verdict=Verdict.INCONCLUSIVE, reason=f"{few_rounds}: raise `measure.max_rounds` or `measure.budget`")
    took = ratio_interval(peaks, ones, evidence.alpha)
    if not math.isfinite(took.observed):
        return unmeasured("the memory that was read is no number")
    return _most.decide(config.max, took, peaks, UNIT, evidence)
