"""The rollout, rehearsed: the chosen variant goes live beside its baseline on this machine, well and with every fault there is.

It runs for the variant of each target that would be deployed, with HAProxy, real servers and real traffic. Nothing of it reaches
a user; that is what `production_deployment` is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.records.base import Verdict
from gatekeeper.stages._base import report

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.deploy.rehearsal import Terms
    from gatekeeper.legs.leg import Leg
    from gatekeeper.legs.setup import Added, Known, Setup
    from gatekeeper.records.report import Report, StageReport, TargetReport
    from gatekeeper.records.rollout import Rehearsal

NAME = "staging_deployment"
DESCRIPTION = (
    "A rehearsal of `deployment` on this machine: baseline and chosen variant behind HAProxy, under load. A healthy ramp must be "
    "promoted, every injected fault must be seen to arrive and must not be, and no request may be lost."
)
ORDER = 40


def extras(loaded: Loaded) -> list[str]:
    """What a leg installs: HAProxy, and what sends requests."""
    return ["rollout"]


def run(setup: Setup, known: Known) -> Added:
    """Rehearse what every target of this machine would deploy."""
    import msgspec

    from gatekeeper.deploy.haproxy import program
    from gatekeeper.errors import NotMeasured, UsageError
    from gatekeeper.legs.setup import Added
    from gatekeeper.verdicts.rehearsed import judge_rehearsals

    chosen = [(target, leg) for target in known.targets if (leg := _leg(setup, target))]
    if not chosen:
        said = "no variant passed on this machine, so that none would be deployed"
        return Added(report(setup.loaded, NAME, Verdict.SKIP, said, NAME))
    try:
        program()
        rehearsals = [_rehearsed(setup, known, target, leg) for target, leg in chosen]
    except (NotMeasured, UsageError) as error:
        return Added(report(setup.loaded, NAME, Verdict.ERROR, str(error), NAME))
    line = msgspec.structs.replace(report(setup.loaded, NAME, Verdict.PASS, "", NAME), rehearsals=rehearsals)
    verdict, reason = judge_rehearsals(line)
    return Added(msgspec.structs.replace(line, verdict=verdict, reason=reason))


def again(line: StageReport, whole: Report) -> tuple[Verdict, str]:
    """What its rehearsals show."""
    from gatekeeper.verdicts.rehearsed import judge_rehearsals

    return judge_rehearsals(line)


def _leg(setup: Setup, target: TargetReport) -> Leg | None:
    """The leg of this machine whose variant would be deployed."""
    from gatekeeper.ids import belongs

    legs = setup.by_target().get(target.name, [])
    return next((leg for leg in legs if target.selected and belongs(target.selected, leg.id)), None)


def _rehearsed(setup: Setup, known: Known, target: TargetReport, leg: Leg) -> Rehearsal:
    import msgspec

    from gatekeeper.deploy.rehearsal import rehearse
    from gatekeeper.ids import baseline_id, file_name
    from gatekeeper.legs.setup import Artifacts, Data
    from gatekeeper.models.files import digest_files

    name = target.selected or ""
    inputs = leg.feeds(f"rehearsed-{file_name(leg.id)}", known.get(Data).evaluation)
    blue = leg.subject(baseline_id(leg.id), None, inputs)
    made = known.get(Artifacts).made[name]
    green = leg.subject(name, made, inputs)
    with setup.space.alone(setup.progress, f"the rehearsed rollout of {name}"):
        setup.progress.step(f"{name}: rehearsing its rollout")
        found = rehearse(blue, green, terms(setup.loaded), note=setup.progress.note)
    return msgspec.structs.replace(found, artifact=digest_files(list(made.files)))


def terms(loaded: Loaded) -> Terms:
    """What the pipeline file says of the way, of the rate and of what may differ."""
    from gatekeeper.deploy.rehearsal import Terms
    from gatekeeper.load.profile import profile

    deployment, load = loaded.pipeline.deployment, profile(loaded)
    return Terms(
        strategy=deployment.strategy,
        ramping=deployment.traffic_ramping,
        rate_qps=load.target_qps,
        p99_ms=load.p99_ms,
        seed=loaded.pipeline.measure.seed,
    )
