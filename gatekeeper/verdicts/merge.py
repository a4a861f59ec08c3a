"""One report of several: what is missing is an error, and nothing is believed that a leg says of its own verdict. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from gatekeeper.compliance.annex import annex_iv
from gatekeeper.compliance.checklist import checklist
from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.records.answers import Answers
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Note, Report, StageReport, TargetReport
from gatekeeper.verdicts.across import STAGE, Merged, checked, summary
from gatekeeper.verdicts.data import joined
from gatekeeper.verdicts.deployed import together
from gatekeeper.verdicts.headers import check_headers
from gatekeeper.verdicts.judge import all_of
from gatekeeper.verdicts.legs import Returned, by_target, collect, lost
from gatekeeper.verdicts.notes import kept, with_notes
from gatekeeper.verdicts.packaged import of_packaged
from gatekeeper.verdicts.rehearsed import PRODUCTION, STAGING, of_selected
from gatekeeper.verdicts.targets import report_verdict, target_report
from gatekeeper.verdicts.watched import MONITORING, of_watched

if TYPE_CHECKING:
    from gatekeeper.planning.plan import Plan

MOST_NAMED = 3
"""Legs that a message names; the others are counted."""


def none_came(index: int) -> Answers:
    """Where no report has its answers beside it."""
    raise NotMeasured("data", "no answers came with its report")


def merge(reports: Sequence[Report], plan: Plan | None = None, answers: Callable[[int], Answers] = none_came) -> Report:
    """One report of several legs' reports.

    They must speak of the same model, pipeline file, policy and commit, no leg may come twice, and every leg of the
    manifest must be there: what is missing is an error that blocks. Waivers that came with them are not believed.
    `answers(i)` are those that came with the i-th report, or `NotMeasured`; it is asked only for legs that are to be
    compared with those of other reports.
    """
    check_headers(reports, plan)
    first = reports[0]
    legs = collect(reports)
    manifest = plan.leg_ids() if plan else first.pipeline.legs
    if unknown := sorted(set(legs) - set(manifest)):
        raise UsageError(f"the results hold legs that the plan does not: {_some(unknown)}. Make the plan from the same commit.")
    came_with = {name: leg.report for name, leg in legs.items()}
    merged = Merged(reports, came_with, answers) if first.pipeline.cross_validation else None
    targets = [_target(name, own, legs, merged) for name, own in by_target(manifest).items()]
    pipeline = msgspec.structs.replace(first.pipeline, legs=manifest)
    stages = [of_selected(checked(stage, targets, pipeline), targets) for stage in _stages(reports, targets)]
    stages = [of_watched(of_packaged(stage, targets), targets) for stage in stages]
    whole = msgspec.structs.replace(
        first,
        verdict=report_verdict(targets, stages),
        targets=targets,
        stages=stages,
        data=joined(reports),
        base=first.base if len(reports) == 1 else None,
    )
    return _noted(msgspec.structs.replace(whole, evidence=annex_iv(whole), checklist=checklist(whole)), reports, manifest)


def _target(name: str, own: Sequence[str], legs: Mapping[str, Returned], merged: Merged | None) -> TargetReport:
    """A target of its legs: those that came back, then those that did not."""
    there = [legs[leg] for leg in own if leg in legs]
    variants = [variant for leg in there for variant in leg.variants]
    reported = [leg.leg for leg in there] + [lost(leg) for leg in own if leg not in legs]
    agreement = merged.agreement(name, reported, variants) if merged else None
    if not there:
        return target_report(name, "", "best", reported, variants, agreement)
    first = there[0]
    return target_report(name, first.hardware, first.require, reported, variants, agreement, first.wish, first.rule)


def _stages(reports: Sequence[Report], targets: Sequence[TargetReport]) -> list[StageReport]:
    """Stages ran once per leg: the worst of each is what counts. What passed in several speaks of all of them."""
    worst: dict[str, StageReport] = {}
    every = [stage for report in reports for stage in report.stages]
    deployed = (STAGING, PRODUCTION, MONITORING)
    whole_of = {name: together([stage for stage in every if stage.stage == name]) for name in deployed}
    for report in reports:
        for stage in [whole_of.get(each.stage) or each for each in report.stages]:
            known = worst.get(stage.stage)
            if known is None or (
                stage.verdict is not Verdict.PASS and all_of([known.verdict, stage.verdict]) is not known.verdict
            ):
                worst[stage.stage] = stage
    whole = worst.get(STAGE)
    if len(reports) > 1 and whole and whole.verdict is Verdict.PASS:
        said = summary(sum(len(t.variants) for t in targets), sum(len(t.legs) for t in targets))
        worst[STAGE] = msgspec.structs.replace(whole, reason=said, deferred=[])
    return list(worst.values())


def _noted(whole: Report, reports: Sequence[Report], manifest: Sequence[str]) -> Report:
    """With what the reports say, once, but for what is said anew of the merged one."""
    alone = len(reports) == 1
    notes, remarks = kept(reports, ["waiver", "plan"] if alone else ["waiver", "plan", "base"])
    here, asked = set(manifest), reports[0].pipeline.legs
    if left := [leg for leg in asked if leg not in here]:
        said = f"the plan holds {len(manifest)} of the {len(asked)} legs of the pipeline file, without "
        remarks.append(Note(kind="plan", text=said + _some(left)))
    return with_notes(whole, notes, remarks)


def _some(legs: Sequence[str]) -> str:
    """The first of many."""
    more = f" and {len(legs) - MOST_NAMED} more" if len(legs) > MOST_NAMED else ""
    return ", ".join(legs[:MOST_NAMED]) + more
