"""What stages share. A stage is a module of this folder, named as in the pipeline file, with `run(context)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from gatekeeper.config.load import Loaded
from gatekeeper.config.types import Target
from gatekeeper.evaluate.evaluation import Evaluation
from gatekeeper.making.optimize import Made, Source, source_of
from gatekeeper.making.workspace import Workspace
from gatekeeper.models.info import Assessment
from gatekeeper.planning.place import Place, place
from gatekeeper.planning.plan import Plan, PlannedLeg
from gatekeeper.progress import Progress
from gatekeeper.records.answers import Answers
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import PipelineInfo, StageReport, TargetReport
from gatekeeper.registry import Registry

REGISTRY = Registry("stages")


@dataclass
class Context:
    """What is known so far; each stage adds to it."""

    loaded: Loaded
    model: Path
    model_sha256: str
    assessment: Assessment
    plan: Plan
    legs: list[PlannedLeg]  # the ones to run here
    space: Workspace
    evaluation: Evaluation
    output: Path
    progress: Progress
    attempt: int
    pipeline: PipelineInfo
    dataset: Path | None = None
    calibration: Path | None = None
    targets: list[TargetReport] = field(default_factory=list)
    samples: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    predictions: dict[str, Path] = field(default_factory=dict)  # of baselines and variants, by name
    answers: Answers | None = None
    made: dict[str, Made] = field(default_factory=dict)  # artifacts of the variants that were measured, by id

    def target(self, name: str) -> Target:
        """The target of that name."""
        return next(t for t in self.loaded.targets if t.name == name)

    def place(self, leg: PlannedLeg) -> Place:
        """Where a leg runs on this machine."""
        return place(leg, self.target(leg.target), self.loaded.pipeline.measure, self.assessment.format)

    def source(self, leg: PlannedLeg) -> Source:
        """The model for a leg's framework, converted where it must be."""
        device = self.place(leg).device
        return source_of(self.space, leg.framework, device, self.model, self.assessment.format, self.model_sha256)


class StageModule(Protocol):
    """The shape of a stage module."""

    @staticmethod
    def run(context: Context) -> StageReport: ...


def stage(name: str) -> StageModule:
    """The stage of that name."""
    return cast(StageModule, REGISTRY.get(name))


def report(context: Context, name: str, verdict: Verdict, reason: str, *path: str) -> StageReport:
    """A stage's result, with the line that asked for it."""
    return StageReport(stage=name, verdict=verdict, reason=reason, where=context.loaded.where(*(path or ("stages",))))
