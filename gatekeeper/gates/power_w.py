"""While the variant infers, its part of the machine draws at most so many watts, whatever the original draws."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from gatekeeper.gates import _energy, _most
from gatekeeper.gates._base import GateConfig, Ratio, unmeasured
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.stats.rounds import ratio_interval

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.gates import Decision
    from gatekeeper.records.measured import RoundData

DESCRIPTION = "While the variant infers, what is measured of the machine draws at most this many watts, idle power included."
UNIT = "W"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["rounds"] = "rounds"
DEFAULT = None
METERED = True
limit_key = "max"


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the mean power."""

    max: Annotated[float, Meta(gt=0, le=1e6, description="Most mean power while it infers, in watts.")]


def ratios(baseline: list[RoundData], variant: list[RoundData]) -> list[Ratio]:
    """The variant's mean power in watts, over one; the baseline does not matter."""
    drawn = [own for each in variant if (own := _energy.watts(each))]
    return [(drawn, [1.0] * len(drawn))]


def to_ratio(limit: float) -> float:
    """The limit itself: the ratio is to one watt."""
    return limit


from_ratio = to_ratio


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the upper bound over rounds of the geometric mean of the power is at most `max`, FAIL if the lower is above."""
    if without := _energy.unknown(evidence, [evidence.variant]):
        return without
    [(drawn, ones)] = ratios(evidence.baseline, evidence.variant)
    found = ratio_interval(drawn, ones, evidence.alpha)
    if not math.isfinite(found.observed):
        return unmeasured("the power that was read is no number")
    blurred = _energy.factor(evidence.energy, evidence.variant)
    bounds = Interval(observed=found.observed, lower=found.lower / blurred, upper=found.upper * blurred)
    decision = _most.decide(config.max, bounds, drawn, UNIT, evidence)
    details = {"method": evidence.energy.method, "charged": blurred} | decision.details
    said = _energy.charge(evidence, blurred) if decision.verdict is Verdict.INCONCLUSIVE else ""
    return msgspec.structs.replace(decision, reason=decision.reason + said, details=details)
