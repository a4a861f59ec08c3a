"""The stage that rehearses a rollout, judged again from what its report holds of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gatekeeper.records.base import Verdict
from gatekeeper.records.report import StageReport, TargetReport
from gatekeeper.records.rollout import Rehearsal
from gatekeeper.registry import Registry
from gatekeeper.stats.rehearsal import SMALLEST, Said, judge_rehearsal, rehearsed_steps
from gatekeeper.verdicts.judge import all_of

STAGING = "staging_deployment"
FAULTS = Registry("deploy.faults")
STRATEGIES = Registry("deploy.strategies")
"""By their names: the room they lie in stands above this one."""


def judge_rehearsals(stage: StageReport) -> Said:
    """What the rehearsals of a stage show together; none is no pass."""
    found = [(each.variant, *_judged(each)) for each in stage.rehearsals]
    if not found:
        return Verdict.ERROR, "its report holds no rehearsal"
    verdict = all_of(each for _, each, _ in found)
    return verdict, "; ".join(f"{name}: {why}" for name, each, why in found if each is verdict)


def _judged(rehearsal: Rehearsal) -> Said:
    """Its steps are those of its strategy: with fewer, or larger, less would have been shown."""
    if rehearsal.strategy not in STRATEGIES.names:
        return Verdict.ERROR, f"rollout: its record names no strategy ({rehearsal.strategy!r})"
    own = STRATEGIES.get(rehearsal.strategy)
    ways = [rehearsed_steps(steps, smallest) for steps in (own.GRADUAL, own.IMMEDIATE) for smallest in SMALLEST]
    if tuple(rehearsal.steps) not in ways:
        return Verdict.ERROR, f"rollout: its record has the steps {rehearsal.steps}, which {rehearsal.strategy} has not"
    return judge_rehearsal(rehearsal, FAULTS.builtin)


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
    shown = {each.variant: each.artifact for each in stage.rehearsals}
    files = {each.id: each.artifact.sha256 for target in targets for each in target.variants if each.artifact}
    chosen = [target.selected for target in targets if target.selected]
    if left := [name for name in chosen if name not in shown]:
        reason = f"{', '.join(left)} would be deployed, and another was rehearsed. Run its leg again."
    elif other := [name for name in chosen if not shown[name] or shown[name] != files.get(name)]:
        reason = f"{', '.join(other)}: the file that was rehearsed is not the one that passed. Run its leg again."
    else:
        return stage
    return msgspec.structs.replace(stage, verdict=Verdict.ERROR, reason=reason)
