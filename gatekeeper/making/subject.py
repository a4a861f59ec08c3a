"""One model under test in the testing stage: a variant, or the baseline beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.making.optimize import Made
from gatekeeper.making.workspace import Workspace
from gatekeeper.models.info import Assessment
from gatekeeper.progress import Progress


@dataclass(frozen=True)
class Subject:
    """How a model is opened and asked.

    `model` describes the original, whose inputs and outputs a variant must keep. `inputs` is an .npz of feeds, `made` the
    artifact; the original is none.
    """

    id: str
    spec: ModelSpec
    model: Assessment
    task: str | None
    inputs: Path
    space: Workspace
    progress: Progress
    made: Made | None = None
