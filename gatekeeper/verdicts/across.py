"""What the pipeline file asks of a target's variants together: cross-validation and performance comparison. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.ids import baseline_id, belongs, leg_of, target_of
from gatekeeper.records.answers import Answers
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Agreement, LegReport, PipelineInfo, Report, StageReport, TargetReport, VariantReport
from gatekeeper.verdicts.agreement import agree

STAGE = "optimization"
LEAST = 2


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
    present = {leg.id for target in targets for leg in target.legs if target_of(leg.id) == target.name}
    parted = {target_of(leg) for leg in pipeline.legs if leg not in present}
    whole = [target for target in targets if target.name not in parted]
    problems = [(where, problem) for where, check in asked for target in whole if (problem := check(target))]
    if problems:
        reason = "; ".join(problem for _, problem in problems)
        return msgspec.structs.replace(stage, verdict=Verdict.ERROR, reason=reason, where=problems[0][0], deferred=[])
    left = [target.name for target in targets if target.name in parted] if asked else []
    reason = stage.reason.removesuffix(deferral(stage.deferred)) + deferral(left)
    return msgspec.structs.replace(stage, reason=reason, deferred=left)


def deferral(targets: Sequence[str]) -> str:
    """What is added to the stage's reason where targets are left to the merged report."""
    return f"; left to the merged report: the comparison across the legs of {', '.join(targets)}" if targets else ""


def _uncompared(target: TargetReport) -> str:
    agreement = target.agreement
    count = len(agreement.names) if agreement else 0
    if count >= LEAST:
        return ""
    why = f" ({'; '.join(agreement.notes)})" if agreement and agreement.notes else ""
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
    answers: Sequence[Answers],
    missing: Mapping[str, str] | None = None,
) -> Agreement:
    """Cross-validation of one target; `missing` says of a leg why its answers are not there."""
    names: list[str] = []
    for leg in legs:
        names += [baseline_id(leg.id), *(v.id for v in variants if belongs(v.id, leg.id))]
    gates = ("accuracy", "agreement")
    accurate = {v.id for v in variants if any(g.gate in gates and g.verdict is Verdict.PASS for g in v.gates)}
    return agree(names, answers, accurate, missing)


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
        answers: list[Answers] = []
        missing: dict[str, str] = {}
        for index in indices:
            try:
                answers.append(self._read(index))
            except NotMeasured as error:
                missing |= {leg.id: str(error) for leg in legs if self.came_with.get(leg.id) == index and leg.id in made}
        return agreement_of(legs, variants, answers, missing)

    def _read(self, index: int) -> Answers:
        """The answers of a report, if they are of its own legs: nobody answers for another."""
        answers = self.answers(index)
        if any(self.came_with.get(leg_of(name)) != index for name in answers.header.names):
            raise NotMeasured("garbage", "the answers beside its report are of other legs")
        return answers
