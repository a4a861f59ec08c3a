"""Share of tokens whose class is the label, over the tokens of all examples."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _counts
from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "token_classification"
DEFAULT = True


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Share of labelled tokens answered rightly; tokens of an example belong together, so examples are what pairs."""
    return _counts.places(baseline, variant, labels)


def guess(answers: Any, labels: Any) -> float | None:
    """What an answer that does not look gets."""
    return _counts.guess(compare, answers, labels)
