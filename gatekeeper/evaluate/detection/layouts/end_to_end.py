"""YOLOv10 and others exported with suppression inside: one output with a row for each box that is left."""

from __future__ import annotations

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.evaluate.detection.layouts._base import Found, Outputs, Shapes, misfit, only

DESCRIPTION = "one output [examples, boxes, 6]: two corners, score, class"
ORDER, SCALE = "xyxy", "pixels"
SUPPRESSED = True


def tells(shapes: Shapes) -> bool:
    """Never: `yolo_v5` of one class has the same shape."""
    return False


def find(outputs: Outputs, settings: Boxes, count: int, size: tuple[int, int]) -> Found:
    """As the model gives them."""
    raw = only(outputs, 3, "[examples, boxes, 6]")
    if raw.shape[2] != 6:
        raise misfit(outputs, "`end_to_end` is [examples, boxes, 6]")
    return [(rows[:, :4], rows[:, 4], rows[:, 5]) for rows in raw]
