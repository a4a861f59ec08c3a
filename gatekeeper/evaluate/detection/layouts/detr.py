"""DETR: a fixed number of guesses, each with logits of classes and of nothing."""

from __future__ import annotations

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.evaluate.detection.layouts._base import Found, Outputs, Shapes, each_class, one_of, without

DESCRIPTION = (
    "two outputs, logits [examples, guesses, classes + nothing] and boxes [examples, guesses, 4]; softmax, the last is nothing"
)
ORDER, SCALE = "cxcywh", "shares"
SUPPRESSED = True


def tells(shapes: Shapes) -> bool:
    """Never: `detr_sigmoid` has the same shapes."""
    return False


def find(outputs: Outputs, settings: Boxes, count: int, size: tuple[int, int]) -> Found:
    """Of each guess every class, by softmax."""
    import numpy as np

    logits = one_of(outputs, settings, "scores", ("logit", "score")).astype(float)
    boxes = one_of(outputs, settings, "boxes", ("box",))
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return each_class(boxes, without(shares, settings.background, -1), settings.score)
