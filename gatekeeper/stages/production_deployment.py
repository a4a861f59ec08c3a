"""The chosen variant goes live: here the healthy ramp of the file's own strategy, and a record that says that it was rehearsed.

A machine of a CI run has no users. What brings a model to them is `gatekeeper deploy` on their host, or a controller of a
cluster with the files that it writes; this stage never says `deployed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.records.base import Verdict
from gatekeeper.stages._base import report

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.legs.leg import Leg
    from gatekeeper.legs.setup import Added, Known, Setup
    from gatekeeper.records.report import Report, StageReport
    from gatekeeper.records.rollout import Production

NAME = "production_deployment"
DESCRIPTION = (
    "The rollout of the chosen variant as `deployment` has it, from what serves now. On the machine of a run it is rehearsed, "
    "and its record says so: `rehearsed`, not deployed. What `staging_deployment` of the same run rehearsed is not repeated."
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
    from gatekeeper.stages._rollouts import NOTHING, Rehearsed, chosen, served_now
    from gatekeeper.verdicts.rehearsed import judge_production

    going = chosen(setup, known)
    if not going:
        return Added(report(setup.loaded, NAME, Verdict.SKIP, NOTHING, NAME))
    staged = known.get(Rehearsed).made
    try:
        program()
        blue = served_now(setup.loaded)  # once: it may be gigabytes
        done = [_done(setup, known, name, leg, blue) for name, leg in going]
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
    for each in line.production:
        if (each.strategy, each.ramping, each.rollback) != asked:
            found = f"{each.strategy}, {each.ramping}, {each.rollback} rollback"
            return f"{each.variant} was rehearsed as {found}, and the file says {', '.join(asked)} rollback. Run it again."
        if each.rehearsal and (said := other_way(loaded, each.rehearsal)):
            return f"{each.variant}: {said}"
    return ""


def _done(setup: Setup, known: Known, name: str, leg: Leg, blue: str) -> Production:
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
    )
