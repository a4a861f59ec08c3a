"""DETR's successors (Deformable DETR, RT-DETR): every class of a guess says yes or no for itself."""

from __future__ import annotations

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.evaluate.detection.layouts._base import Found, Outputs, Shapes, each_class, one_of, without

DESCRIPTION = "two outputs, logits [examples, guesses, classes] and boxes [examples, guesses, 4]; sigmoid, none is nothing"
ORDER, SCALE = "cxcywh", "shares"
SUPPRESSED = True


def tells(shapes: Shapes) -> bool:
    """Never: `detr` has the same shapes."""
    return False


def find(outputs: Outputs, settings: Boxes, count: int, size: tuple[int, int]) -> Found:
    """Of each guess every class, by the logistic function."""
    from scipy.special import expit

    logits = one_of(outputs, settings, "scores", ("logit", "score")).astype(float)
    boxes = one_of(outputs, settings, "boxes", ("box",))
    return each_class(boxes, without(expit(logits), settings.background, None), settings.score)
