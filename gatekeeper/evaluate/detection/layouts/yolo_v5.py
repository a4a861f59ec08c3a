"""YOLOv5 to v7, as exported: one output with a row for each box, and a score of its own for whether anything is there."""

from __future__ import annotations

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.evaluate.detection.layouts._base import Found, Outputs, Shapes, each_class, misfit, only

DESCRIPTION = (
    "one output [examples, boxes, 5 + classes]: centre, width, height, whether it is anything, and a score for each class"
)
ORDER, SCALE = "cxcywh", "pixels"
SUPPRESSED = False


def tells(shapes: Shapes) -> bool:
    """Never: YOLOX has the same shape, and YOLOv8 turned around too."""
    return False


def find(outputs: Outputs, settings: Boxes, count: int, size: tuple[int, int]) -> Found:
    """Every class of every box, as sure as it is that anything is there."""
    wanted = "[examples, boxes, 5 + classes]"
    raw = only(outputs, 3, wanted)
    if raw.shape[2] < 6:
        raise misfit(outputs, f"`yolo_v5` is {wanted}")
    return each_class(raw[:, :, :4], raw[:, :, 5:] * raw[:, :, 4:5], settings.score)
