"""Root mean squared error; lower is better."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics._base import Pair, errors
from gatekeeper.records.scores import PairedScores

FAMILY = "regression"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Root mean squared error, on average over the outputs.

    Of one output the scores are squared errors, and the retention the root of their ratio. The roots of several do not add up by
    example: there the scores are e^2 / 2s + s / 2 for each output of RMSE s, whose mean is s (the tangent of the root).
    """
    import numpy as np

    b, v = errors(baseline, labels) ** 2, errors(variant, labels) ** 2
    before, after = (float(np.sqrt(squares.mean(axis=0)).mean()) for squares in (b, v))
    if b.shape[1] == 1:
        return Pair(before, after, PairedScores("errors", p=b[:, 0], q=v[:, 0], examples=len(b), power=0.5))
    return Pair(before, after, PairedScores("errors", p=_scores(b), q=_scores(v), examples=len(b)))


def _scores(squares: Any) -> Any:
    import numpy as np

    root = np.sqrt(squares.mean(axis=0))
    shares = np.divide(squares, root, out=np.zeros_like(squares), where=root > 0)
    return ((shares + root) / 2).mean(axis=1)
