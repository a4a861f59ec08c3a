"""The stage that rehearses a rollout, judged again from what its report holds of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gatekeeper.records.base import Verdict
from gatekeeper.records.report import StageReport, TargetReport
from gatekeeper.registry import Registry
from gatekeeper.stats.rehearsal import Said, judge_rehearsal
from gatekeeper.verdicts.judge import all_of

STAGING = "staging_deployment"
FAULTS = Registry("deploy.faults")
"""By their names: the room they lie in stands above this one."""


def judge_rehearsals(stage: StageReport) -> Said:
    """What the rehearsals of a stage show together; none is no pass."""
    found = [(each.variant, *judge_rehearsal(each, FAULTS.builtin)) for each in stage.rehearsals]
    if not found:
        return Verdict.ERROR, "its report holds no rehearsal"
    verdict = all_of(each for _, each, _ in found)
    return verdict, "; ".join(f"{name}: {why}" for name, each, why in found if each is verdict)


def together(stages: Sequence[StageReport]) -> StageReport | None:
    """The same stage of several reports as one. A leg with nothing to deploy has nothing to rehearse: another's is chosen."""
    if not stages:
        return None
    ran = [stage for stage in stages if stage.verdict is not Verdict.SKIP] or stages[:1]
    verdict = all_of(stage.verdict for stage in ran) if len(ran) > 1 else ran[0].verdict
    worst = next((stage for stage in ran if stage.verdict is verdict), ran[0])
    return msgspec.structs.replace(worst, verdict=verdict, rehearsals=[each for stage in ran for each in stage.rehearsals])


def of_selected(stage: StageReport, targets: Sequence[TargetReport]) -> StageReport:
    """An error in its place where what was rehearsed is not what is chosen."""
    if stage.stage != STAGING or stage.verdict is not Verdict.PASS:
        return stage
    names = {each.variant for each in stage.rehearsals}
    left = [target.selected for target in targets if target.selected and target.selected not in names]
    if not left:
        return stage
    reason = f"{', '.join(left)} would be deployed, and another was rehearsed. Run its leg again."
    return msgspec.structs.replace(stage, verdict=Verdict.ERROR, reason=reason)
