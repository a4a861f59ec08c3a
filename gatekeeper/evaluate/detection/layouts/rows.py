"""YOLOv7 exported with suppression inside: the boxes of a whole batch one after the other, each with the number of its image."""

from __future__ import annotations

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.evaluate.detection.layouts._base import Found, Outputs, Shapes, misfit, only

DESCRIPTION = "one output [boxes of all examples, 7]: number of the example in its batch, two corners, class, score"
ORDER, SCALE = "xyxy", "pixels"
SUPPRESSED = True


def tells(shapes: Shapes) -> bool:
    """Rows of seven numbers."""
    shape = next(iter(shapes.values()))
    return len(shapes) == 1 and len(shape) == 2 and shape[1] == 7


def find(outputs: Outputs, settings: Boxes, count: int, size: tuple[int, int]) -> Found:
    """The rows of each example."""
    raw = only(outputs, 2, "[boxes of all examples, 7]")
    if raw.shape[1] != 7:
        raise misfit(outputs, "`rows` is [boxes of all examples, 7]")
    return [(own[:, 1:5], own[:, 6], own[:, 5]) for own in (raw[raw[:, 0] == i] for i in range(count))]
