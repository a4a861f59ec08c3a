"""Mean over classes of intersection over union, of the pixels of all examples together."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _counts
from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "semantic_segmentation"
DEFAULT = True


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Mean IoU of the classes that are labels or answers, from one table of all pixels: what is called mIoU."""
    return _counts.pooled(baseline, variant, labels, union=True)


def guess(answers: Any, labels: Any) -> float | None:
    """What an answer that does not look gets."""
    return _counts.guess(compare, answers, labels)
