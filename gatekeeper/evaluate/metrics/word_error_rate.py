"""Words that are wrong, missing or too many, by the words that should be there; lower is better."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _edits
from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "transcription"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Over all texts together."""
    return _edits.compare(baseline, variant, labels, str.split)


def guess(answers: Any, labels: Any) -> float | None:
    """What is right of an answer that does not look."""
    return _edits.guess(answers, labels, str.split)
