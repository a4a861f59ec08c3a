"""The chosen variant goes live: on the host that the file names, or as the healthy ramp of its own strategy, and then its record
says that it was rehearsed.

A machine of a CI run has no users, unless `deployment.hosts` says that it serves them. What else brings a model to users is
`gatekeeper deploy` on their host, or a controller of a cluster with the files that it writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.records.base import Verdict
from gatekeeper.stages._base import report

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.sections.hosts import Host
    from gatekeeper.legs.leg import Leg
    from gatekeeper.legs.setup import Added, Known, Setup
    from gatekeeper.records.report import Report, StageReport
    from gatekeeper.records.rollout import Production

NAME = "production_deployment"
DESCRIPTION = (
    "The rollout of the chosen variant as `deployment` has it, from what serves now: on the host that `deployment.hosts` names, "
    "if the job runs on it. Else it is rehearsed, and its record says so: `rehearsed`, not deployed. What "
    "`staging_deployment` of the same run rehearsed is not repeated."
)
ORDER = 50


def extras(loaded: Loaded) -> list[str]:
    """What a leg installs: HAProxy, and what sends requests."""
    return ["rollout"] if NAME in loaded.pipeline.stages else []


def run(setup: Setup, known: Known) -> Added:
    """Rehearse what every target of this machine would deploy, or take what was rehearsed a moment ago."""
    import msgspec

    from gatekeeper.deploy.haproxy import program
    from gatekeeper.errors import GatekeeperError
    from gatekeeper.legs.setup import Added
    from gatekeeper.stages._hosts import checked, why_not
    from gatekeeper.stages._rollouts import NOTHING, Rehearsed, chosen, served_now
    from gatekeeper.verdicts.rehearsed import judge_production

    going = chosen(setup, known)
    if not going:
        return Added(report(setup.loaded, NAME, Verdict.SKIP, NOTHING, NAME))
    staged = known.get(Rehearsed).made
    try:
        program()
        hosts = [checked(host) for host in setup.loaded.pipeline.deployment.hosts]
        why = why_not(setup, known, going) if hosts else ""
        if hosts and not why:
            done = [_deployed(setup, known, *going[0], hosts[0])]
        else:
            blue = served_now(setup.loaded)  # once: it may be gigabytes
            done = [_rehearsed(setup, known, name, leg, blue, why) for name, leg in going]
    except GatekeeperError as error:
        return Added(report(setup.loaded, NAME, Verdict.ERROR, str(error), NAME))
    line = msgspec.structs.replace(report(setup.loaded, NAME, Verdict.PASS, "", NAME), production=done)
    verdict, reason = judge_production(line, list(staged.values()))
    return Added(msgspec.structs.replace(line, verdict=verdict, reason=reason))


def again(line: StageReport, whole: Report) -> tuple[Verdict, str]:
    """What its own ramps show, and those that it says another stage of the same report has."""
    from gatekeeper.verdicts.rehearsed import STAGING, judge_production

    return judge_production(line, [each for stage in whole.stages if stage.stage == STAGING for each in stage.rehearsals])


def lacks(loaded: Loaded, line: StageReport) -> str:
    """A way that is not the file's."""
    from gatekeeper.stages._rollouts import other_way

    own = loaded.pipeline.deployment
    asked = (own.strategy, own.traffic_ramping, own.rollback)
    named = [host.host for host in own.hosts]
    for each in line.production:
        if each.live is not None and each.live.host not in named:
            stated = ", ".join(named) or "no host"
            return f"{each.variant} was deployed on {each.live.host}, and the file names {stated}. Run it again."
        if (each.strategy, each.ramping, each.rollback) != asked:
            found = f"{each.strategy}, {each.ramping}, {each.rollback} rollback"
            return f"{each.variant} was {each.outcome} as {found}, and the file says {', '.join(asked)} rollback. Run it again."
        if each.rehearsal and (said := other_way(loaded, each.rehearsal)):
            return f"{each.variant}: {said}"
    return ""


def _deployed(setup: Setup, known: Known, name: str, leg: Leg, host: Host) -> Production:
    """One variant, among users."""
    from gatekeeper.records.rollout import Production
    from gatekeeper.stages._hosts import live

    own = setup.loaded.pipeline.deployment
    return Production(
        variant=name,
        outcome="deployed",
        strategy=own.strategy,
        ramping=own.traffic_ramping,
        rollback=own.rollback,
        live=live(setup, known, name, leg, host),
    )


def _rehearsed(setup: Setup, known: Known, name: str, leg: Leg, blue: str, why: str) -> Production:
    """One variant: by its own healthy ramp, unless a stage before has rehearsed the very same."""
    from gatekeeper.records.rollout import Production
    from gatekeeper.stages._rollouts import Rehearsed, rehearsed
    from gatekeeper.stats.rehearsal import HEALTHY

    own = setup.loaded.pipeline.deployment
    before = known.get(Rehearsed).made.get(name)
    same = before is not None and before.blue == blue
    return Production(
        variant=name,
        outcome="rehearsed",
        strategy=own.strategy,
        ramping=own.traffic_ramping,
        rollback=own.rollback,
        rehearsal=None if same else rehearsed(setup, known, name, leg, blue, [HEALTHY]),
        why=why,
    )
