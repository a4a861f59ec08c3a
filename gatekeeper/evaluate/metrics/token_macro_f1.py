"""Unweighted mean of the classes' F1, over the tokens of all examples."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _counts
from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "token_classification"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Mean F1 of the classes that are labels or answers, as scikit-learn has it of all labelled tokens together."""
    return _counts.pooled(baseline, variant, labels)


def guess(answers: Any, labels: Any) -> float | None:
    """What an answer that does not look gets."""
    return _counts.guess(compare, answers, labels)
