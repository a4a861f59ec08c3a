"""The watch, rehearsed: each alert that the file asks for must be raised by its fault, and by nothing on identical data.

It runs for the variant of each target that would be deployed, on a server of its own here. `deployment.monitoring`
says who watches: `real_time` is the written rules in a Prometheus with an Alertmanager, `periodic` looks of `gatekeeper watch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from gatekeeper.records.base import Verdict
from gatekeeper.stages._base import report

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.meaning import Review
    from gatekeeper.legs.leg import Leg
    from gatekeeper.legs.setup import Added, Known, Setup
    from gatekeeper.records.report import Report, StageReport
    from gatekeeper.records.watched import Watching

NAME = "monitoring"
DESCRIPTION = (
    "The alerts of the file on a served model: each must be raised by its fault, which must be seen to arrive, and "
    "none on identical data. `deployment.monitoring` says who watches."
)
ORDER = 60


def extras(loaded: Loaded) -> list[str]:
    """What a leg installs: what sends requests. Prometheus and Alertmanager are programs of the system."""
    return ["testing"] if NAME in loaded.pipeline.stages else []


def problems(review: Review) -> None:
    """A stage for what the file says is not to be."""
    loaded = review.loaded
    if NAME in loaded.pipeline.stages and loaded.pipeline.deployment.monitoring == "disabled":
        said = "the stage 'monitoring' is listed, and deployment.monitoring is disabled: nobody would watch. Remove one of them."
        review.add(("deployment", "monitoring"), said)


def run(setup: Setup, known: Known) -> Added:
    """Raise the alerts of what every target of this machine would deploy."""
    import msgspec

    from gatekeeper.errors import NotMeasured, UsageError
    from gatekeeper.legs.setup import Added
    from gatekeeper.stages._rollouts import NOTHING, chosen
    from gatekeeper.verdicts.watched import judge_watched

    going = chosen(setup, known)
    if not going:
        return Added(report(setup.loaded, NAME, Verdict.SKIP, NOTHING, NAME))
    try:
        watched = [_watched(setup, known, name, leg) for name, leg in going]
    except (NotMeasured, UsageError) as error:
        return Added(report(setup.loaded, NAME, Verdict.ERROR, str(error), NAME))
    line = msgspec.structs.replace(report(setup.loaded, NAME, Verdict.PASS, "", NAME), watched=watched)
    verdict, reason = judge_watched(line)
    return Added(msgspec.structs.replace(line, verdict=verdict, reason=reason))


def again(line: StageReport, whole: Report) -> tuple[Verdict, str]:
    """What its record of alerts shows."""
    from gatekeeper.verdicts.watched import judge_watched

    return judge_watched(line)


def lacks(loaded: Loaded, line: StageReport) -> str:
    """An alert that the file asks for and the report says nothing of, or another way to watch."""
    asked, how = set(asked_for(loaded)), loaded.pipeline.deployment.monitoring
    for each in line.watched:
        if left := sorted(asked - {one.alert for one in each.alerts} - set(each.not_shown)):
            return f"its record of {each.variant} says nothing of {', '.join(left)}. Run it again."
        if each.how != how:
            return f"its record of {each.variant} is of {each.how} watching, and the file says {how}. Run it again."
        if left := sorted(name for name in each.not_shown if name in asked and _raised(name)):
            return f"its record of {each.variant} holds that no fault shows {', '.join(left)}, and one does. Run it again."
    return ""


def asked_for(loaded: Loaded) -> dict[str, Any]:
    """The limits of the alerts that are on, by the file; it says the defaults where it has no `monitoring`."""
    from gatekeeper.config.sections.monitoring import Monitoring
    from gatekeeper.monitor.limits import limits_of

    return limits_of(loaded.pipeline.monitoring or Monitoring())[0]


def _raised(name: str) -> bool:
    from gatekeeper.monitor.alerts._base import alert

    return hasattr(alert(name), "FAULT")


def _watched(setup: Setup, known: Known, name: str, leg: Leg) -> Watching:
    import msgspec

    from gatekeeper.ids import file_name
    from gatekeeper.legs.setup import Artifacts, Data
    from gatekeeper.models.files import digest_files
    from gatekeeper.monitor.served import How, prove

    loaded = setup.loaded
    inputs = leg.feeds(f"watched-{file_name(leg.id)}", known.get(Data).evaluation)
    made = known.get(Artifacts).made[name]
    subject = leg.subject(name, made, inputs)
    how = cast(How, loaded.pipeline.deployment.monitoring)
    with setup.space.alone(setup.progress, f"the alerts of {name}"):
        setup.progress.step(f"{name}: raising its alerts")
        found = prove(subject, asked_for(loaded), how, loaded.pipeline.measure.seed, setup.progress.note)
    return msgspec.structs.replace(found, artifact=digest_files(list(made.files)))
