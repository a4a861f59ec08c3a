"""Share of questions whose span is exactly a true one."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _spans
from gatekeeper.evaluate.metrics._base import Pair, binary
from gatekeeper.evaluate.metrics._spans import exact

FAMILY = "question_answering"
DEFAULT = True
RIGHT_OR_WRONG = True


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Right or wrong, question by question."""
    return binary(exact(baseline, labels), exact(variant, labels))


def guess(answers: Any, labels: Any) -> float | None:
    """What an answer that does not look gets."""
    return _spans.guess(compare, answers, labels)
