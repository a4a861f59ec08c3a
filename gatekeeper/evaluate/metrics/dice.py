"""Mean over classes of Dice's coefficient, which is F1, of the pixels of all examples together."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _counts
from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "semantic_segmentation"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Mean 2 |A and B| / (|A| + |B|) of the classes that are labels or answers, from one table of all pixels."""
    return _counts.pooled(baseline, variant, labels)


def guess(answers: Any, labels: Any) -> float | None:
    """What an answer that does not look gets."""
    return _counts.guess(compare, answers, labels)
