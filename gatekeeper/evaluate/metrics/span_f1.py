"""How much of the true span, and how little else, is answered: the mean F1 of tokens."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _spans
from gatekeeper.evaluate.metrics._base import Pair
from gatekeeper.evaluate.metrics._spans import overlap
from gatekeeper.records.scores import PairedScores

FAMILY = "question_answering"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """A share of each question."""
    b, v = overlap(baseline, labels), overlap(variant, labels)
    return Pair(float(b.mean()), float(v.mean()), PairedScores("bounded", p=v, q=b, examples=len(b)))


def guess(answers: Any, labels: Any) -> float | None:
    """What an answer that does not look gets."""
    return _spans.guess(compare, answers, labels)
