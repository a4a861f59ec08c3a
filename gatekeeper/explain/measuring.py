"""A few rounds of a pipeline file's variants, where no report has them: enough to see what they are limited by, not to judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from gatekeeper.causes.seen import Seen
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.ids import BASELINE
from gatekeeper.legs.candidates import made_of
from gatekeeper.legs.leg import Leg
from gatekeeper.legs.measuring import settings
from gatekeeper.legs.setup import Data
from gatekeeper.making.optimize import Made
from gatekeeper.measure.conditions import conditions
from gatekeeper.measure.energy._base import Absent
from gatekeeper.measure.race import Limits, Race, performance, race
from gatekeeper.process import memory
from gatekeeper.progress import Progress
from gatekeeper.records.base import Verdict
from gatekeeper.records.measured import Artifact
from gatekeeper.records.report import LegReport, VariantReport
from gatekeeper.units import parse_duration

ROUNDS = 4

Variants = Iterator[tuple[Seen, Callable[[], Made]]]


def timed(leg: Leg, wanted: Sequence[str], progress: Progress) -> Variants:
    """Each variant of a leg, or those wanted, as far as a few rounds tell, and what makes its artifact."""
    calibration = leg.evaluation.prepared(calibration=True)
    made: dict[str, Made] = {}
    failures: dict[str, str] = {}
    for planned in leg.planned.variants:
        if wanted and planned.id not in wanted:
            continue
        try:
            if refused := planned.skip or planned.error:
                raise NotMeasured("unsupported", refused)
            made[planned.id] = made_of(leg, planned, Data(calibration=calibration), trusted=False)
        except NotMeasured as error:
            failures[planned.id] = str(error)
    raced = _raced(leg, made, progress) if made else Race()
    failures |= {name: str(failure) for name, failure in raced.failures.items()}
    about = _leg(leg, raced)
    examples = PreparedDataset(calibration).contents.examples if calibration and not leg.evaluation.model.text else None
    for planned in leg.planned.variants:
        if planned.id not in {*made, *failures}:
            continue
        own = made.get(planned.id)
        report = VariantReport(
            id=planned.id,
            framework=leg.framework,
            technique=planned.technique,
            verdict=Verdict.SKIP if planned.id not in failures else Verdict.ERROR,
            reason=failures.get(planned.id, ""),
            artifact=Artifact(path=str(own.folder), sha256=own.sha256, bytes=own.bytes) if own else None,
            performance=performance(raced.paired(planned.id)[1], leg.evaluation.batch_size(), memory.METRIC),
        )
        yield Seen(report, about, examples), _maker(own, failures.get(planned.id, ""))


def _maker(made: Made | None, why: str) -> Callable[[], Made]:
    def find() -> Made:
        if made is None:
            raise NotMeasured("model", why)
        return made

    return find


def _raced(leg: Leg, made: dict[str, Made], progress: Progress) -> Race:
    text = leg.evaluation.model.text is not None
    dataset = leg.evaluation.prepared() if text else leg.evaluation.prepared(calibration=True) or leg.evaluation.prepared()
    inputs = leg.feeds("timed", dataset)
    arms = [leg.arm(name, each) for name, each in made.items()]
    limits = Limits((ROUNDS,), parse_duration(leg.measure.budget), leg.measure.seed)
    progress.step(f"{leg.id}: timing {len(arms)} variant{'s' * (len(arms) != 1)} in {ROUNDS} rounds")
    with leg.space.alone(progress, f"explaining {leg.id}", leg.measure.budget):
        return race(leg.baseline_arm(), arms, settings(leg, inputs, Absent("not asked for")), limits, lambda *_: True, progress)


def _leg(leg: Leg, raced: Race) -> LegReport:
    rounds = [each.data[BASELINE] for each in raced.rounds]
    return LegReport(
        id=leg.id,
        framework=leg.framework,
        environment=leg.environment(),
        device=leg.place.device,
        baseline=performance(rounds, leg.evaluation.batch_size(), memory.METRIC),
        conditions=conditions(raced.snapshots) if rounds else None,
    )
