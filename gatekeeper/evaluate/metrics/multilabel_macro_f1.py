"""Unweighted mean of the labels' F1."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _yes
from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "multi_label_classification"
DEFAULT = True


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Mean F1 of yes, over the labels that any example has or is given."""
    return _yes.f1(baseline, variant, labels, together=False)


def guess(answers: Any, labels: Any) -> float | None:
    """What an answer that does not look gets."""
    return _yes.guess(compare, answers, labels)
