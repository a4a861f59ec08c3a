"""COCO's mean average precision, over overlaps from 50 to 95 %."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _boxes
from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "object_detection"
DEFAULT = True
CHANCE = 0.0


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Mean over classes and ten overlaps."""
    from gatekeeper.evaluate.detection.matching import OVERLAPS

    return _boxes.compare(baseline, variant, labels, OVERLAPS)
