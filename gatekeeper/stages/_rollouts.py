"""What the stages share that bring the chosen variants of this machine beside what serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gatekeeper.records.rollout import Rehearsal

if TYPE_CHECKING:
    from pathlib import Path

    from gatekeeper.config.loaded import Loaded
    from gatekeeper.deploy.rehearsal import Terms
    from gatekeeper.legs.leg import Leg
    from gatekeeper.legs.setup import Known, Setup
    from gatekeeper.making.subject import Subject
    from gatekeeper.records.report import TargetReport

NOTHING = "no variant passed on this machine, so that none would be deployed"


@dataclass(frozen=True)
class Rehearsed:
    """Rehearsals of this run, by variant: what a stage measured, the next one does not measure again."""

    made: Mapping[str, Rehearsal] = field(default_factory=dict)


def chosen(setup: Setup, known: Known) -> list[tuple[str, Leg]]:
    """The variant of every target that would be deployed from this machine, with its leg."""
    return [(target.selected or "", leg) for target in known.targets if (leg := _leg(setup, target))]


def _leg(setup: Setup, target: TargetReport) -> Leg | None:
    """The leg of this machine whose variant would be deployed."""
    from gatekeeper.ids import belongs

    legs = setup.by_target().get(target.name, [])
    return next((leg for leg in legs if target.selected and belongs(target.selected, leg.id)), None)


def rehearsed(setup: Setup, known: Known, name: str, leg: Leg, blue: str, only: list[str] | None = None) -> Rehearsal:
    """What serves now, or the original model, as blue, the variant as green; all scenarios, or `only` some. `blue` is the digest
    of what serves now, empty where that is the original.
    """
    import msgspec

    from gatekeeper.deploy.rehearsal import rehearse
    from gatekeeper.ids import file_name
    from gatekeeper.legs.setup import Artifacts, Data
    from gatekeeper.models.files import digest_files

    inputs = leg.feeds(f"rehearsed-{file_name(leg.id)}", known.get(Data).evaluation)
    made = known.get(Artifacts).made[name]
    green = leg.subject(name, made, inputs)
    with setup.space.alone(setup.progress, f"the rehearsed rollout of {name}"):
        setup.progress.step(f"{name}: rehearsing its rollout")
        found = rehearse(_blue(setup.loaded, leg, inputs), green, terms(setup.loaded), only, note=setup.progress.note)
    return msgspec.structs.replace(found, blue=blue, artifact=digest_files(list(made.files)))


def served_now(loaded: Loaded) -> str:
    """SHA-256 of `deployment.current`, as reports have it of artifacts; empty where the original model serves."""
    from gatekeeper.certificate.inventory import identity, inventory
    from gatekeeper.config.sections.deployment import current

    served = current(loaded)
    return identity(inventory(served[0])) if served else ""


def _blue(loaded: Loaded, leg: Leg, inputs: Path) -> Subject:
    """The original model, or what `deployment.current` says; it is asked what the original is asked."""
    from dataclasses import replace

    from gatekeeper.config.sections.deployment import current
    from gatekeeper.ids import baseline_id

    original = leg.subject(baseline_id(leg.id), None, inputs)
    served = current(loaded)
    if served is None:
        return original
    path, framework = served
    return replace(original, spec=leg.evaluation.spec(framework, path, leg.place.threads, leg.place.device))


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


def other_way(loaded: Loaded, found: Rehearsal) -> str:
    """How a rehearsal is not of the rollout that the file describes, in words; empty where it is.

    Steps show the ramping. A rate or a time that is stricter than the file's is a policy's.
    """
    from gatekeeper.deploy.strategies._base import steps
    from gatekeeper.stats.rehearsal import SMALLEST, rehearsed_steps

    own, asked = loaded.pipeline.deployment, terms(loaded)
    if found.strategy != own.strategy:
        return f"was rehearsed as {found.strategy}, and the file says {own.strategy}. Run it again."
    ways = [list(rehearsed_steps(steps(own.strategy, own.traffic_ramping), smallest)) for smallest in SMALLEST]
    if found.steps not in ways:
        said = " or ".join(", ".join(map(str, way)) for way in dict.fromkeys(map(tuple, ways)))
        return f"was rehearsed in the steps {found.steps}, and {own.traffic_ramping} {own.strategy} has {said} %. Run it again."
    slow = found.limits.slow_ms
    if asked.p99_ms is not None and (slow is None or not slow <= asked.p99_ms):
        return f"was rehearsed with answers slow from {slow} ms on, and the file says {asked.p99_ms:g}. Run it again."
    if asked.rate_qps is not None and not found.rate_qps >= asked.rate_qps:
        return f"was rehearsed at {found.rate_qps:g} requests/s, and the file says {asked.rate_qps:g}. Run it again."
    return ""
