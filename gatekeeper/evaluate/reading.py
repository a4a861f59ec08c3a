"""How a pipeline file says that a model's outputs are read."""

from __future__ import annotations

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.config.sections.symbols import Symbols
from gatekeeper.evaluate.tasks._base import Reading


def reading_of(loaded: Loaded, task: str | None, places: tuple[int, ...] | None) -> Reading:
    """Of a model of that task; `places` is the shape of an example's labels, None where there are none."""
    pipeline = loaded.pipeline
    model = pipeline.model
    return Reading(
        task=task,
        class_axis=model.class_axis if model else None,
        classes=tuple(pipeline.dataset.classes) if pipeline.dataset else (),
        places=places,
        folder=str(loaded.folder.resolve()),
        boxes=(model and model.boxes) or Boxes(),
        symbols=(model and model.symbols) or Symbols(),
    )
