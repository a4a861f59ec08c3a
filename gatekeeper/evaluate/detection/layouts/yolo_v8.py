"""YOLOv8 and later, as exported: one output with a column for each place of the image."""

from __future__ import annotations

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.evaluate.detection.layouts._base import Found, Outputs, Shapes, each_class, misfit, only

DESCRIPTION = "one output [examples, 4 + classes, boxes]: centre, width, height, and a score for each class"
ORDER, SCALE = "cxcywh", "pixels"
SUPPRESSED = False


def tells(shapes: Shapes) -> bool:
    """One output that is longer than it is high: its last axis are the boxes."""
    shape = next(iter(shapes.values()))
    return len(shapes) == 1 and len(shape) == 3 and 5 <= shape[1] < shape[2]


def find(outputs: Outputs, settings: Boxes, count: int, size: tuple[int, int]) -> Found:
    """Every class of every box."""
    import numpy as np

    wanted = "[examples, 4 + classes, boxes]"
    raw = only(outputs, 3, wanted)
    if raw.shape[1] < 5:
        raise misfit(outputs, f"`yolo_v8` is {wanted}")
    columns = np.swapaxes(raw, 1, 2)
    return each_class(columns[:, :, :4], columns[:, :, 4:], settings.score)
