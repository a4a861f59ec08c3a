"""SSD and its kind: boxes, and a score for each class of each, with one for nothing before them."""

from __future__ import annotations

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.evaluate.detection.layouts._base import Found, Outputs, Shapes, each_class, one_of, without

DESCRIPTION = "two outputs, boxes [examples, boxes, 4] and scores [examples, boxes, nothing + classes], as probabilities"
ORDER, SCALE = "xyxy", "shares"
SUPPRESSED = False


def tells(shapes: Shapes) -> bool:
    """Boxes and scores by name, of which there are several a box."""
    box = [shape for name, shape in shapes.items() if "box" in name.lower()]
    score = [shape for name, shape in shapes.items() if "score" in name.lower() or "conf" in name.lower()]
    return len(shapes) == 2 and len(box) == len(score) == 1 and len(score[0]) == len(box[0]) == 3 and score[0][2] > 1


def find(outputs: Outputs, settings: Boxes, count: int, size: tuple[int, int]) -> Found:
    """Of each box every class."""
    boxes = one_of(outputs, settings, "boxes", ("box",))
    scores = one_of(outputs, settings, "scores", ("score", "conf", "class"))
    return each_class(boxes, without(scores, settings.background, 0), settings.score)
