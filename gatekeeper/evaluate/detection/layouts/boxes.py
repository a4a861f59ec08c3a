"""Detectors that suppress by themselves: an output each of boxes, scores and classes, and perhaps how many count."""

from __future__ import annotations

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.evaluate.detection.layouts._base import Found, Outputs, Shapes, misfit, one_of

DESCRIPTION = "outputs boxes [examples, boxes, 4], scores and classes [examples, boxes]; of one image also without its first axis"
ORDER, SCALE = "xyxy", "pixels"
SUPPRESSED = True

CLASSES, SCORES = ("class", "label"), ("score", "conf")


def tells(shapes: Shapes) -> bool:
    """One output is called after each, and boxes have an axis more than scores."""
    found = [[shape for name, shape in shapes.items() if any(w in name.lower() for w in words)] for words in (SCORES, CLASSES)]
    boxes = [shape for name, shape in shapes.items() if "box" in name.lower() and shape[-1:] == (4,)]
    return len(boxes) == 1 and all(len(each) == 1 and each[0] == boxes[0][:-1] for each in found)


def find(outputs: Outputs, settings: Boxes, count: int, size: tuple[int, int]) -> Found:
    """As the model gives them, of each example as many as it says that count."""
    boxes = one_of(outputs, settings, "boxes", ("box",))
    scores, classes = one_of(outputs, settings, "scores", SCORES), one_of(outputs, settings, "classes", CLASSES)
    if count == 1 and boxes.ndim == 2:
        boxes, scores, classes = boxes[None], scores[None], classes[None]
    if boxes.ndim != 3 or not len(boxes) == len(scores) == len(classes) == count or scores.shape != boxes.shape[:2]:
        raise misfit(outputs, "boxes must be [examples, boxes, 4], scores and classes [examples, boxes]")
    counted = [name for name, array in outputs.items() if "num" in name.lower() and array.size == count]
    many = [int(n) for n in outputs.take(counted[0]).reshape(-1)] if counted else [boxes.shape[1]] * count
    return [(boxes[i, :k], scores[i, :k].reshape(-1), classes[i, :k].reshape(-1)) for i, k in enumerate(many)]
