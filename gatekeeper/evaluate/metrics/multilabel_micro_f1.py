"""F1 of all labels together."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _yes
from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "multi_label_classification"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """F1 of yes, over all labels of all examples."""
    return _yes.f1(baseline, variant, labels, together=True)


def guess(answers: Any, labels: Any) -> float | None:
    """What an answer that does not look gets."""
    return _yes.guess(compare, answers, labels)
