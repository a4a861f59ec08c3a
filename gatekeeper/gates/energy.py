"""An inference of the variant takes at least `reduction` less energy than one of the baseline."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.gates import _energy
from gatekeeper.gates._base import GateConfig, Ratio, unmeasured
from gatekeeper.gates._rounds import would_decide
from gatekeeper.gates.speedup import control_bias
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Control, RoundData
from gatekeeper.stats.rounds import ratio_interval

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence

DESCRIPTION = "An inference of the variant takes at least this fraction less energy than one of the baseline."
UNIT = "fraction"
BOUND: Literal["at_least"] = "at_least"
BASIS: Literal["rounds"] = "rounds"
DEFAULT = None
METERED = True
limit_key = "reduction"


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the energy gate."""

    reduction: Annotated[
        float,
        Meta(gt=-10, lt=1, description="Least reduction of the energy per inference: 0.3 is 30 % less, -0.1 a tenth more."),
    ]


def ratios(baseline: list[RoundData], variant: list[RoundData]) -> list[Ratio]:
    """Joules per inference of the rounds in which both were read, variant over baseline."""
    pairs = [
        (v.joules, b.joules) for v, b in zip(variant, baseline, strict=True) if v.joules is not None and b.joules is not None
    ]
    return [([v for v, _ in pairs], [b for _, b in pairs])]


def to_ratio(limit: float) -> float:
    """A reduction by half is a ratio of one half."""
    return 1 - limit


from_ratio = to_ratio


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the upper bound of ln(variant / baseline) is at most ln(1 - reduction), by the A/A control's margin."""
    arms = [evidence.baseline, evidence.variant, *([] if evidence.copy else [evidence.control])]
    if without := _energy.unknown(evidence, arms):
        return without
    if evidence.copy is None and len(evidence.control) != len(evidence.variant):
        return unmeasured("the A/A control was not measured")
    [(variants, baselines)] = ratios(evidence.baseline, evidence.variant)
    ratio = ratio_interval(variants, baselines, evidence.alpha)
    control = evidence.copy or ratio_interval(*ratios(evidence.baseline, evidence.control)[0], evidence.alpha)
    if not (math.isfinite(ratio.observed) and math.isfinite(control.observed)):
        return unmeasured("the energies that were read are no numbers")
    blurred = _energy.factor(evidence.energy, evidence.baseline) * _energy.factor(evidence.energy, evidence.variant)
    ratio = Interval(observed=ratio.observed, lower=ratio.lower / blurred, upper=ratio.upper * blurred)
    verdict, reason = _decide(config.reduction, ratio, control)
    details: dict[str, Any] = {
        "baseline_joules": sum(baselines) / len(baselines),
        "variant_joules": sum(variants) / len(variants),
        "rounds": len(variants),
        "method": evidence.energy.method,
        "charged": blurred,
    }
    if not reason:
        help_, needs = would_decide(variants, baselines, 1 - config.reduction, evidence)
        details |= needs
        between = f"between {1 - ratio.upper:.0%} and {1 - ratio.lower:.0%} less energy"
        reason = f"{between}, which does not decide {config.reduction:.0%}; {help_}{_energy.charge(evidence, blurred)}"
    return Decision(
        verdict=verdict, reason=reason, observed=1 - ratio.observed, lower=1 - ratio.upper, upper=1 - ratio.lower,
        details=details, control=Control(observed=control.observed, lower=control.lower, upper=control.upper),
    )  # fmt: skip


def _decide(reduction: float, ratio: Interval, control: Interval) -> tuple[Verdict, str]:
    """Verdict and reason; no reason where the ratio itself is undecided."""
    limit, bias = 1 - reduction, control_bias(control)
    lower, upper, observed = 1 - ratio.upper, 1 - ratio.lower, 1 - ratio.observed
    if lower >= reduction:
        if ratio.upper * bias <= limit:
            return Verdict.PASS, f"{observed:.0%} less energy per inference, at least {lower:.0%}"
        return Verdict.INCONCLUSIVE, _unequal(control)
    if upper < reduction:
        if ratio.lower / bias > limit:
            how = f"{observed:.0%} less energy per inference, at most {upper:.0%}"
            if round(observed, 2) <= 0:
                how = f"{-observed:.0%} more energy per inference" if round(observed, 2) < 0 else "as much energy per inference"
            return Verdict.FAIL, f"{how}, needs {reduction:.0%} less"
        return Verdict.INCONCLUSIVE, _unequal(control)
    return Verdict.INCONCLUSIVE, ""


def _unequal(control: Interval) -> str:
    return (
        f"this runner is too noisy: of two copies of the baseline one takes {control.lower:.2f} to {control.upper:.2f} times the "
        "energy of the other; use a quieter runner"
    )
