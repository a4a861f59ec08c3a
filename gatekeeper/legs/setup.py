"""What a run works on, and what its stages have found out so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.sections.inputs import layout_of
from gatekeeper.evaluate.evaluation import Evaluation
from gatekeeper.legs.leg import Leg
from gatekeeper.making.cache import Cache
from gatekeeper.making.optimize import Made
from gatekeeper.making.workspace import Workspace, workspace
from gatekeeper.models.files import digest_files
from gatekeeper.models.hashed import State, digest_once, now
from gatekeeper.models.info import Assessment
from gatekeeper.planning.plan import PlannedLeg
from gatekeeper.progress import Progress
from gatekeeper.records.report import PipelineInfo, StageReport, TargetReport

F = TypeVar("F")


@dataclass(frozen=True)
class Setup:
    """One run on this machine. Nothing of it changes on the way; what is found out goes from stage to stage as `Known`.

    `legs` are the ones to run here, `planned` all that the file asks for. `output` is the folder of the reports, beside which
    artifacts are kept.
    """

    loaded: Loaded
    assessment: Assessment
    legs: Sequence[Leg]
    space: Workspace
    evaluation: Evaluation
    progress: Progress
    output: Path
    pipeline: PipelineInfo
    attempt: int = 1
    planned: Sequence[PlannedLeg] = ()

    def beside(self, leg: Leg) -> int:
        """How many variants of its target other legs try, here or elsewhere."""
        others = [each for each in self.planned if each.target == leg.planned.target and each.id != leg.id]
        tried = [variant for each in others if not (each.skip or each.error) for variant in each.variants]
        return sum(not (variant.skip or variant.error) for variant in tried)

    def by_target(self) -> dict[str, list[Leg]]:
        """Legs of each target, in the order of the plan."""
        grouped: dict[str, list[Leg]] = {}
        for leg in self.legs:
            grouped.setdefault(leg.planned.target, []).append(leg)
        return grouped


@contextmanager
def bench(
    loaded: Loaded, assessment: Assessment, planned: Sequence[PlannedLeg], cache: Cache, progress: Progress
) -> Iterator[tuple[Workspace, Evaluation, list[Leg], str]]:
    """A workspace, what evaluates models in it, the legs on this machine, and the model's identity."""
    with workspace(cache, loaded.pipeline.measure) as space:
        identity = digest_files([Path(file) for file in assessment.files], digest_once)
        able = tuple(dict.fromkeys(leg.framework for leg in planned if not (leg.error or leg.skip)))
        evaluation = Evaluation(space, loaded, assessment, identity, able, layout_of(loaded, assessment))
        yield space, evaluation, [Leg(leg, loaded, evaluation, space, progress) for leg in planned], identity


@dataclass(frozen=True)
class Data:
    """The prepared evaluation and calibration sets; None where the file names none. `also` are the further sets, by name."""

    evaluation: Path | None = None
    calibration: Path | None = None
    also: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Scanned:
    """The files that were scanned, each with its state then, and the digests of their bytes; nothing where no scan is asked."""

    asked: bool = False
    states: Mapping[Path, State] = field(default_factory=dict)
    digests: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()

    def changed(self) -> str:
        """The first file that is not what was scanned any more, in words; empty where all are."""
        for path, before in self.states.items():
            if now(path) != before:
                return f"{path} has changed since it was scanned, and what was loaded may be something else. Run it again."
        return ""


@dataclass(frozen=True)
class Artifacts:
    """Artifacts of the variants that were measured, by id."""

    made: Mapping[str, Made] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What the stages before found out: the targets as judged so far, facts, one of a type, and the stages' own lines."""

    targets: Sequence[TargetReport] = ()
    facts: Mapping[type, object] = field(default_factory=dict)
    stages: Sequence[StageReport] = ()

    def get(self, kind: type[F]) -> F:
        """The fact of that type, an empty one where no stage has added it."""
        fact = self.facts.get(kind)
        return fact if isinstance(fact, kind) else kind()

    def with_(self, added: Added) -> Known:
        """The same and what a stage adds."""
        facts = {**self.facts, **{type(fact): fact for fact in added.facts}}
        return replace(self, facts=facts, targets=self.targets if added.targets is None else added.targets)


@dataclass(frozen=True)
class Added:
    """What a stage adds to what is known: its line in the report, and where it has any, the targets judged again, facts for
    the stages after it, and files to lie beside the report.
    """

    report: StageReport
    targets: Sequence[TargetReport] | None = None
    facts: Sequence[object] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
