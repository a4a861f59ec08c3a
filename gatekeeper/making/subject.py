"""One model under test in the testing stage: a variant, or the baseline beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gatekeeper.making.workspace import Workspace
from gatekeeper.models.info import Assessment
from gatekeeper.process import protocol
from gatekeeper.progress import Progress


@dataclass(frozen=True)
class Subject:
    """How a model is opened and asked.

    `artifact` is what the framework's `open_session` takes. `model` describes the original, whose inputs and outputs a
    variant must keep. `inputs` is an .npz of feeds, arrays of shape [feeds, batch, ...]; for a text model its prompts.
    """

    id: str
    framework: str
    artifact: Path
    threads: int
    device: str
    model: Assessment
    task: str | None
    text: protocol.Text | None
    inputs: Path
    space: Workspace
    progress: Progress
