"""One target x framework on this machine: what every stage, and `calibrate`, needs of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from gatekeeper.config.also import also_sets
from gatekeeper.config.limits import Limit, limits
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.sections.measure import Measure
from gatekeeper.config.sections.targets import Target
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.evaluation import Evaluation
from gatekeeper.evaluate.same.hold import hold, told
from gatekeeper.evaluate.same.standing import Standing
from gatekeeper.frameworks._base import needs, runtime, untimed
from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.hardware.machine import environment
from gatekeeper.ids import BASELINE
from gatekeeper.making.optimize import Made, ModelSource, source_of
from gatekeeper.making.subject import Subject
from gatekeeper.making.workspace import Workspace
from gatekeeper.measure.rounds import Arm
from gatekeeper.planning.place import Place, place
from gatekeeper.planning.plan import PlannedLeg
from gatekeeper.progress import Progress
from gatekeeper.records.measured import Environment


class Leg:
    """Where a planned leg runs, on which form of the model, and how its models are opened, asked and measured."""

    def __init__(self, planned: PlannedLeg, loaded: Loaded, evaluation: Evaluation, space: Workspace, progress: Progress):
        self.planned, self.loaded, self.evaluation, self.space, self.progress = planned, loaded, evaluation, space, progress

    def on(self, name: str) -> Leg:
        """The same leg on another evaluation set of that name."""
        also = next(each for each in also_sets(self.loaded) if each.name == name)
        evaluation = self.evaluation.on(also)
        leg = Leg(self.planned, evaluation.loaded, evaluation, self.space, self.progress)
        if "source" in self.__dict__:  # made once for all sets
            leg.__dict__["source"] = self.source
        return leg

    @property
    def id(self) -> str:
        """target/framework."""
        return self.planned.id

    @property
    def framework(self) -> str:
        """The framework's name."""
        return self.planned.framework

    @property
    def target(self) -> Target:
        """The target, as the file has it."""
        return self.loaded.target(self.planned.target)

    @property
    def measure(self) -> Measure:
        """How long and how carefully to measure."""
        return self.loaded.pipeline.measure

    @cached_property
    def place(self) -> Place:
        """Where it runs on this machine."""
        return place(self.planned, self.target, self.measure, self.evaluation.model.format)

    @property
    def runs(self) -> bool:
        """Whether the plan has it run at all, somewhere."""
        return not (self.planned.error or self.planned.skip)

    @property
    def untimed(self) -> str:
        """Why times measured here say nothing; empty where they do."""
        return (untimed(self.framework, self.place.device) or "") if self.runs else ""

    @cached_property
    def source(self) -> ModelSource:
        """The model for its framework, converted where it must be; `NotMeasured` where that, or the leg, cannot be."""
        if self.place.error:
            raise NotMeasured("unsupported", self.place.error)
        evaluation = self.evaluation
        about = evaluation.model
        name = self.baseline_framework
        return source_of(self.space, name, self.place.device, Path(about.path), about.format, evaluation.identity)

    @property
    def baseline_framework(self) -> str:
        """What runs the original model: the leg's framework, unless it cannot open it."""
        return self.planned.baseline or self.framework

    def limits(self) -> list[Limit]:
        """Every limit that applies on its target."""
        return limits(self.loaded, self.target)

    def environment(self) -> Environment:
        """The machine as it is now, with the packages that decide what the framework answers."""
        return environment(self.place.threads, needs(self.framework, self.evaluation.model.format).packages)

    @property
    def original(self) -> ModelSpec:
        """How the original is opened here, by what can open it."""
        return self.evaluation.spec(self.baseline_framework, self.source.baseline()[0], self.place.threads, self.place.device)

    def spec(self, made: Made) -> ModelSpec:
        """How a variant is opened here."""
        return self.evaluation.spec(self.framework, made.opened, self.place.threads, self.place.device, made.fit)

    def predictions(self, made: Made, dataset: Path) -> Path:
        """What a variant answers to a prepared dataset."""
        return self.evaluation.predictions(self.spec(made), made.sha256, dataset)

    def baseline_predictions(self, dataset: Path) -> Path:
        """What the original answers."""
        return self.evaluation.predictions(self.original, self.source.baseline()[1], dataset)

    def reference_predictions(self, dataset: Path) -> Path:
        """What the model's reference answers, or where there is none, the original here."""
        return told(self.evaluation, self.place.threads, dataset) or self.baseline_predictions(dataset)

    def standing(self, dataset: Path | None) -> Standing:
        """How the original answers here beside the model's reference; one that is another model is `NotMeasured`."""
        return hold(self.evaluation, self.original, self.source.baseline()[1], dataset)

    def feeds(self, name: str, dataset: Path | None, loud: bool = False) -> Path:
        """A file of inputs to time, or with a loud one among them to test with, under a name of its own in the scratch folder."""
        file = self.space.scratch / f"{name}.npz"
        self.evaluation.timed_inputs(dataset, file, loud)
        return file

    def heavy_feeds(self, dataset: Path | None, predictions: Iterable[Path]) -> Path | None:
        """A file of the inputs that took most memory when these predictions were made; None where none are known."""
        file = self.space.scratch / "heavy.npz"
        return file if self.evaluation.heavy_inputs(dataset, predictions, file) else None

    def arm(self, name: str, made: Made) -> Arm:
        """A variant to measure."""
        return self._arm(name, self.spec(made))

    def baseline_arm(self, name: str = BASELINE) -> Arm:
        """The original, to measure others against."""
        return self._arm(name, self.original)

    def _arm(self, name: str, spec: ModelSpec) -> Arm:
        return Arm(name, spec, runtime(spec.framework, self.evaluation.model.format))

    def subject(self, name: str, made: Made | None, inputs: Path) -> Subject:
        """A model to test; None: the original."""
        return Subject(
            id=name,
            spec=self.spec(made) if made else self.original,
            model=self.evaluation.seen,
            task=self.evaluation.task,
            inputs=inputs,
            space=self.space,
            progress=self.progress,
            made=made,
        )
