"""OpenVINO's and Caffe's DetectionOutput: the boxes of a whole batch, each with the number of its image."""

from __future__ import annotations

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.evaluate.detection.layouts._base import Found, Outputs, Shapes, misfit, only

DESCRIPTION = (
    "one output [1, 1, boxes of all examples, 7]: number of the example in its batch (-1 ends), class, score, two corners"
)
ORDER, SCALE = "xyxy", "shares"
SUPPRESSED = True


def tells(shapes: Shapes) -> bool:
    """Rows of seven numbers behind two axes of one."""
    shape = next(iter(shapes.values()))
    return len(shapes) == 1 and len(shape) == 4 and shape[:2] == (1, 1) and shape[3] == 7


def find(outputs: Outputs, settings: Boxes, count: int, size: tuple[int, int]) -> Found:
    """The rows of each example."""
    raw = only(outputs, 4, "[1, 1, boxes, 7]")
    if raw.shape[3] != 7:
        raise misfit(outputs, "`detection_output` is [1, 1, boxes, 7]")
    rows = raw.reshape(-1, 7)
    ended = (rows[:, 0] < 0).cumsum() > 0
    return [(own[:, 3:], own[:, 2], own[:, 1]) for own in (rows[~ended & (rows[:, 0] == i)] for i in range(count))]
