"""Every output that no metric reads, or only on average, keeps what the original says in it, component by component."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.gates._base import GateConfig, Told, unmeasured
from gatekeeper.gates.accuracy import LEAST_EXAMPLES
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.closed import share_of_bound
from gatekeeper.stats.looks import ALPHA

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.scores import KeptOutput

DESCRIPTION = "Every output that no metric reads, or only on average, keeps at least this share of what the original says in it."
UNIT = "fraction"
BOUND: Literal["at_least"] = "at_least"
BASIS: Literal["scores"] = "scores"
limit_key = "retention"
OF_TENSORS = True


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the outputs gate."""

    retention: Annotated[
        float,
        Meta(gt=0, le=1, description="Least share of the baseline's variance (of classes: of its answers) that is kept."),
    ] = 0.95
    ignore: Annotated[list[str], Meta(description="Outputs that nobody uses, by name; the report says so.")] = []


DEFAULT = Config()


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the worst component of the worst output clears the limit, FAIL if any is shown to miss it."""
    comparison = evidence.comparison
    if comparison.outputs is None:
        return unmeasured(comparison.error or "no outputs were compared")
    known = {each.name for each in comparison.outputs} | comparison.unjudged.keys()
    if unknown := [name for name in config.ignore if name not in known]:
        has = f"it has {', '.join(sorted(known))}" if known else "it has none beside the one that the metric reads"
        return unmeasured(f"`gates.outputs.ignore` names {', '.join(unknown)}, which is no other output of the model ({has})")
    judged = [each for each in comparison.outputs if each.name not in config.ignore]
    left = dict.fromkeys(config.ignore, "ignored in the pipeline file") | {
        name: why for name, why in comparison.unjudged.items() if name not in config.ignore
    }
    said = f"; not judged: {', '.join(f'{name} ({why})' for name, why in left.items())}" if left else ""
    details = {"outputs": {each.name: each.observed for each in judged}, "not_judged": left}
    if not judged:
        reason = f"the metric reads the only output that can be compared{said}"
        return Decision(verdict=Verdict.SKIP, applies=False, reason=reason, details=details)
    if broken := [each for each in judged if each.problem]:
        reason = "; ".join(f"{each.name}: {each.problem}" for each in broken)
        return Decision(verdict=Verdict.FAIL, reason=reason + said, details=details)
    worst = min(judged, key=lambda each: -math.inf if each.observed is None else each.observed)
    lower = min(-math.inf if each.lower is None else each.lower for each in judged)
    upper = min(math.inf if each.upper is None else each.upper for each in judged)
    verdict, reason = _decide(config.retention, worst, lower, upper)
    brief = f"its outputs, one by one, keep at least {lower:.1%}" if verdict is Verdict.PASS else reason
    return Decision(
        verdict=verdict, reason=reason + said, brief=brief, observed=worst.observed, lower=lower, upper=upper, details=details
    )


def nothing(told: Told) -> bool:
    """Whether no output was compared, as far as the report shows."""
    basis = told.leg.basis
    if told.whole and basis is None:
        return False
    return not told.gate.details.get("outputs") and (basis is None or not basis.outputs)


def again(config: Config, told: Told) -> Verdict | None:
    """As many examples as `accuracy` needs are needed here, too."""
    quality = told.variant.quality
    if told.whole and not _all_there(told):
        return Verdict.ERROR
    missed = told.gate.upper is not None and told.gate.upper < config.retention
    return Verdict.ERROR if quality is not None and quality.examples < LEAST_EXAMPLES and not missed else None


def _all_there(told: Told) -> bool:
    """Whether every output is there that the leg looked at, and the worst of them keeps what the gate says.

    Of a variant that no metric could be had of, what the metric reads is not looked at either.
    """
    basis, stated = told.leg.basis, told.gate.details.get("outputs")
    if basis is None or not isinstance(stated, dict):
        return False
    if lost := set(basis.outputs) ^ stated.keys():
        return told.variant.quality is None and lost == {basis.output}
    known = [value for value in stated.values() if isinstance(value, int | float)]
    return not known or told.gate.observed == min(known)


def share(told: Told) -> float:
    """The least bound may be that of another component than the worst: none keeps more than all."""
    lower, limit = told.gate.lower, told.gate.limit
    return 1.0 if lower is None or limit is None else share_of_bound(1.0, lower, limit, ALPHA)


def _decide(limit: float, worst: KeptOutput, lower: float, upper: float) -> tuple[Verdict, str]:
    name = f"{worst.name}{worst.component}"
    if worst.observed is None:
        return Verdict.ERROR, f"{name}: nothing can be said of how much is kept"
    kept = f"{name} keeps {worst.observed:.1%}" + (" of the answers" if worst.what == "answered alike" else " of its variance")
    if upper < limit:
        return Verdict.FAIL, f"{kept}, needs {limit:.1%}"
    if worst.examples < LEAST_EXAMPLES:  # all have as many
        return Verdict.ERROR, f"{name}: {worst.examples} examples cannot show {limit:.1%}; at least {LEAST_EXAMPLES} are needed"
    if lower >= limit:
        return Verdict.PASS, f"{kept}, at least {lower:.1%}, and no output less"
    undecided = f"{kept}; some output keeps at least {lower:.1%}, which does not decide {limit:.1%}"
    return (
        Verdict.INCONCLUSIVE,
        f"{undecided}; of {worst.examples} examples, {4 * worst.examples} would show it where little is lost",
    )
