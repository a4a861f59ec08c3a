"""Mean average precision, where a box is right that overlaps a true one by half."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _boxes
from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "object_detection"
DEFAULT = False
CHANCE = 0.0


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Mean over classes."""
    return _boxes.compare(baseline, variant, labels, (0.5,))
