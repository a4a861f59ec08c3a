"""What the pipeline file asks of a target's variants together: cross-validation and performance comparison. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.records.answers import BASELINE, Answers, leg_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Agreement, LegReport, PipelineInfo, Report, StageReport, TargetReport, VariantReport
from gatekeeper.verdicts.agreement import agree

STAGE = "optimization"
LEAST = 2
LEFT = "; left to the merged report: the comparison across the legs of "


def summary(variants: int, legs: int) -> str:
    """What the stage says when nothing went wrong."""
    return f"{variants} variant{'s' * (variants != 1)} in {legs} leg{'s' * (legs != 1)}"


def checked(stage: StageReport, targets: Sequence[TargetReport], pipeline: PipelineInfo) -> StageReport:
    """The stage, or an error in its place where a check that was asked for could not be made.

    A target of which the pipeline file has more legs than this report is left to the merged report. What is an error
    already stays as it is.
    """
    if stage.stage != STAGE or stage.verdict is not Verdict.PASS:
        return stage
    checks: list[tuple[str, Callable[[TargetReport], str]]] = [
        (pipeline.cross_validation, _uncompared),
        (pipeline.performance_comparison, _unmeasured),
    ]
    asked = [(where, check) for where, check in checks if where]
    here = [target for target in targets if _whole(target, pipeline.legs)]
    found = [(where, problem) for where, check in asked for target in here if (problem := check(target))]
    if found:
        reason = "; ".join(problem for _, problem in found)
        return msgspec.structs.replace(stage, verdict=Verdict.ERROR, reason=reason, where=found[0][0])
    left = [target.name for target in targets if asked and target not in here]
    return msgspec.structs.replace(stage, reason=stage.reason.partition(LEFT)[0] + (LEFT + ", ".join(left) if left else ""))


def _whole(target: TargetReport, legs: Collection[str]) -> bool:
    """Whether every leg of the target is in this report."""
    own = {leg.id for leg in target.legs}
    return all(leg in own for leg in legs if leg.partition("/")[0] == target.name)


def _uncompared(target: TargetReport) -> str:
    found = target.agreement
    count = len(found.names) if found else 0
    if count >= LEAST:
        return ""
    why = f" ({'; '.join(found.notes)})" if found and found.notes else ""
    return (
        f"{target.name}: cross_validation needs the answers of {LEAST} models to the evaluation set and has {count}{why}. "
        "Add techniques or frameworks, or set it to disabled."
    )


def _unmeasured(target: TargetReport) -> str:
    count = sum(v.performance is not None for v in timed_variants(target.legs, target.variants))
    if count >= LEAST:
        return ""
    return (
        f"{target.name}: performance_comparison is required and needs {LEAST} measured variants; of {len(target.variants)}, "
        f"{count} could be measured. Add techniques or frameworks, or remove the key."
    )


def timed_variants(legs: Sequence[LegReport], variants: Sequence[VariantReport]) -> list[VariantReport]:
    """The variants whose times say something: some frameworks run here only to be answered by."""
    untimed = {leg.id for leg in legs if leg.untimed}
    return [v for v in variants if leg_of(v.id) not in untimed]


def agreement_of(
    legs: Sequence[LegReport],
    variants: Sequence[VariantReport],
    found: Sequence[Answers],
    missing: Mapping[str, str] | None = None,
) -> Agreement:
    """Cross-validation of one target; `missing` says of a leg why its answers are not there."""
    names: list[str] = []
    for leg in legs:
        names += [f"{leg.id}/{BASELINE}", *(v.id for v in variants if v.id.startswith(f"{leg.id}/"))]
    gates = ("accuracy", "agreement")
    accurate = {v.id for v in variants if any(g.gate in gates and g.verdict is Verdict.PASS for g in v.gates)}
    return agree(names, found, accurate, missing)


class Merged:
    """Cross-validation of targets whose legs came in several reports, each of which knows its own only.

    `came_with` says of a leg in which report it came, `answers(i)` are those beside the i-th report or `NotMeasured`.
    """

    def __init__(self, reports: Sequence[Report], came_with: Mapping[str, int], answers: Callable[[int], Answers]):
        self.reports, self.came_with, self.answers = reports, came_with, answers

    def agreement(self, name: str, legs: Sequence[LegReport], variants: Sequence[VariantReport]) -> Agreement | None:
        """The agreement of all legs; where one report holds the whole target, what that one found."""
        indices = list(dict.fromkeys(self.came_with[leg.id] for leg in legs if leg.id in self.came_with))
        if len(indices) == 1:
            return next((t.agreement for t in self.reports[indices[0]].targets if t.name == name), None)
        made = {leg_of(v.id) for v in variants if v.artifact}
        found: list[Answers] = []
        missing: dict[str, str] = {}
        for index in indices:
            try:
                found.append(self._read(index))
            except NotMeasured as error:
                missing |= {leg.id: str(error) for leg in legs if self.came_with.get(leg.id) == index and leg.id in made}
        return agreement_of(legs, variants, found, missing)

    def _read(self, index: int) -> Answers:
        """The answers of a report, if they are of its own legs: nobody answers for another."""
        found = self.answers(index)
        if any(self.came_with.get(leg_of(name)) != index for name in found.contents.names):
            raise NotMeasured("garbage", "the answers beside its report are of other legs")
        return found
