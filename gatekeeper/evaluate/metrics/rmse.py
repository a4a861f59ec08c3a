"""Root mean squared error."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics._base import Pair, errors
from gatekeeper.records.scores import PairedScores

FAMILY = "regression"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Root mean squared error; the scores are squared errors, the retention their ratio's root."""
    b, v = (errors(baseline, labels) ** 2).mean(axis=1), (errors(variant, labels) ** 2).mean(axis=1)
    scores = PairedScores("real", p=b, q=v, examples=len(b), power=0.5)
    return Pair(float(b.mean()) ** 0.5, float(v.mean()) ** 0.5, scores)
