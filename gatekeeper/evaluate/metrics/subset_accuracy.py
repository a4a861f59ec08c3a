"""Share of examples of which every label is right."""

from __future__ import annotations

from typing import Any

from gatekeeper.data.prepared import IGNORED
from gatekeeper.evaluate.metrics._base import Pair, binary

FAMILY = "multi_label_classification"
DEFAULT = False
RIGHT_OR_WRONG = True


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Share of examples of which every label is answered rightly."""
    return binary(*(((answers == labels) | (labels == IGNORED)).all(axis=1) for answers in (baseline, variant)))


def guess(answers: Any, labels: Any) -> float | None:
    """What an answer that does not look gets: the commonest set of labels."""
    import numpy as np

    counts = np.unique(labels, axis=0, return_counts=True)[1]
    return None if len(counts) < 2 else float(counts.max() / len(labels))
