"""How far a variant answers like the baseline, for use without labels."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import cosine_similarity
from gatekeeper.evaluate.metrics._base import Pair, binary, classes


def agreement(baseline: Any, variant: Any, task: str | None) -> Pair:
    """Share of examples on which the variant answers like the baseline; for use without labels.

    Classes must be equal and numbers within 5 % of the baseline's own spread; for embeddings it is the mean cosine
    between the two models' vectors.
    """
    import numpy as np

    if task == "embedding":
        cosine = cosine_similarity.compare(baseline, variant, baseline)
        return Pair(1.0, cosine.variant, cosine.scores)
    if task == "regression":
        b = baseline.reshape(len(baseline), -1).astype(float)
        v = variant.reshape(len(variant), -1).astype(float)
        same = (np.abs(v - b) <= 0.05 * b.std(axis=0)).all(axis=1)
    else:
        same = classes(baseline) == classes(variant, baseline)
    return binary(np.ones(len(same), dtype=bool), same)
