"""The stages that rehearse a rollout, judged again from what its report holds of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gatekeeper.records.base import Verdict
from gatekeeper.records.report import StageReport, TargetReport
from gatekeeper.records.rollout import Decision, Live, Production, Rehearsal
from gatekeeper.registry import Registry
from gatekeeper.stats.rehearsal import HEALTHY, LIMITS, SMALLEST, Said, judge_rehearsal, looser, rehearsed_steps
from gatekeeper.stats.rollout import judged
from gatekeeper.verdicts.deployed import judged_together, left_out, other_files

STAGING, PRODUCTION = "staging_deployment", "production_deployment"
FAULTS = Registry("deploy.faults")
STRATEGIES = Registry("deploy.strategies")
"""By their names: the room they lie in stands above this one."""


def judge_rehearsals(stage: StageReport) -> Said:
    """What the rehearsals of a stage show together; none is no pass."""
    return judged_together(((each.variant, *_judged(each, FAULTS.builtin)) for each in stage.rehearsals), "rehearsal")


def judge_production(stage: StageReport, staged: Sequence[Rehearsal]) -> Said:
    """What a stage shows that brings variants live; `staged` are rehearsals that it may refer to. Its reason never says more
    than its record: what was rehearsed was not deployed.
    """
    verdict, said = judged_together(((each.variant, *_judge_one(each, staged)) for each in stage.production), "rollout")
    if verdict is not Verdict.PASS:
        return verdict, said
    if all(each.outcome == "deployed" for each in stage.production):
        return verdict, f"deployed: {said}"
    why = "; ".join(dict.fromkeys(each.why for each in stage.production if each.why))
    return verdict, f"rehearsed, not deployed{f' ({why})' if why else ''}: {said}"


def _judge_one(done: Production, staged: Sequence[Rehearsal]) -> Said:
    """By its rollout among users, or by its healthy ramp, wherever that is."""
    if (done.outcome == "deployed") is not (done.live is not None):
        return Verdict.ERROR, f"its record says {done.outcome}, and holds {'a' if done.live else 'no'} rollout among users"
    if done.live is not None:
        return _judge_live(done, done.live)
    own = done.rehearsal
    rehearsal = own or next((each for each in staged if each.variant == done.variant), None)
    if rehearsal is None:
        return Verdict.ERROR, f"its record refers to what {STAGING} rehearsed, and the report has no such rehearsal"
    if rehearsal.variant != done.variant or rehearsal.strategy != done.strategy:
        return Verdict.ERROR, f"its record holds the ramp of {rehearsal.variant} as {rehearsal.strategy}"
    healthy = [each for each in rehearsal.scenarios if each.name == HEALTHY]
    verdict, why = _judged(msgspec.structs.replace(rehearsal, scenarios=healthy), ())
    if verdict is not Verdict.PASS:
        return verdict, why
    whose = "in this stage" if own else f"by {STAGING} of the same run"
    return verdict, f"the healthy ramp ({done.strategy}, {healthy[0].requests:,} requests, {whose}) was promoted"


def _judge_live(done: Production, live: Live) -> Said:
    """By what was seen of it among users."""
    where = f"on {live.host}"
    if live.already:
        if live.windows or live.ruling.decision is not Decision.PROMOTE:
            return Verdict.ERROR, f"its record says that it served {where} already, and holds a rollout"
        return Verdict.PASS, f"it serves {where} already"
    if done.strategy not in STRATEGIES.names or live.limits is None:
        return Verdict.ERROR, f"rollout: its record {where} names no strategy, or no limits"
    own = STRATEGIES.get(done.strategy)
    if tuple(live.steps) != (own.GRADUAL if done.ramping == "gradual" else own.IMMEDIATE):
        return Verdict.ERROR, f"rollout: its record has the steps {live.steps}, which {done.strategy} has not"
    if why := looser(msgspec.structs.replace(live.limits, memory_growth=LIMITS.memory_growth)):
        return Verdict.ERROR, f"rollout: its record says {why}"
    decision = judged(live.limits, len(live.steps), live.windows).decision
    if decision is not live.ruling.decision:
        return Verdict.ERROR, f"rollout: it says {live.ruling.decision} {where}, and what was seen of it says {decision}"
    seen = sum(each.green.requests for each in live.windows)
    why = f"{live.ruling.metric}: {live.ruling.reason}" if live.ruling.metric else live.ruling.reason
    if decision is Decision.PROMOTE:
        return Verdict.PASS, f"{done.strategy} {where}, promoted after {seen:,} requests to it"
    if decision is Decision.ROLLBACK:
        return Verdict.FAIL, f"rolled back {where} ({why})"
    return Verdict.INCONCLUSIVE, f"not promoted in time {where} ({why}); what served before serves"


def _judged(rehearsal: Rehearsal, faults: Sequence[str]) -> Said:
    """Its steps are those of its strategy: with fewer, or larger, less would have been shown."""
    if rehearsal.strategy not in STRATEGIES.names:
        return Verdict.ERROR, f"rollout: its record names no strategy ({rehearsal.strategy!r})"
    own = STRATEGIES.get(rehearsal.strategy)
    ways = [rehearsed_steps(steps, smallest) for steps in (own.GRADUAL, own.IMMEDIATE) for smallest in SMALLEST]
    if tuple(rehearsal.steps) not in ways:
        return Verdict.ERROR, f"rollout: its record has the steps {rehearsal.steps}, which {rehearsal.strategy} has not"
    return judge_rehearsal(rehearsal, faults)


def of_selected(stage: StageReport, targets: Sequence[TargetReport]) -> StageReport:
    """An error in its place where what was rehearsed is not what is chosen."""
    if stage.stage not in (STAGING, PRODUCTION) or stage.verdict is not Verdict.PASS:
        return stage
    made = [*stage.rehearsals, *(each.rehearsal for each in stage.production if each.rehearsal)]
    names = {each.variant for each in made} | {each.variant for each in stage.production}
    shown = {each.variant: each.artifact for each in made} | {
        each.variant: each.live.artifact for each in stage.production if each.live
    }  # what a stage refers to is held in its own
    if left := left_out(targets, names):
        reason = f"{', '.join(left)} would be deployed, and another was rehearsed. Run its leg again."
    elif other := other_files(targets, shown):
        reason = f"{', '.join(other)}: the file that was rehearsed or deployed is not the one that passed. Run its leg again."
    else:
        return stage
    return msgspec.structs.replace(stage, verdict=Verdict.ERROR, reason=reason)
