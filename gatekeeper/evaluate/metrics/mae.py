"""Mean absolute error."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics._base import Pair, errors
from gatekeeper.records.scores import PairedScores

FAMILY = "regression"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Mean absolute error; lower is better, so the retention is baseline / variant."""
    import numpy as np

    b, v = np.abs(errors(baseline, labels)).mean(axis=1), np.abs(errors(variant, labels)).mean(axis=1)
    return Pair(float(b.mean()), float(v.mean()), PairedScores("errors", p=b, q=v, examples=len(b)))
