"""Mean cosine between each output and its reference vector."""

from __future__ import annotations

from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import Pair
from gatekeeper.records.scores import PairedScores

FAMILY = "embedding"
DEFAULT = True


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Mean cosine between each output and its reference vector."""
    import numpy as np

    reference = labels.reshape(len(labels), -1).astype(float)

    def cosine(outputs: Any) -> Any:
        vectors = outputs.reshape(len(outputs), -1).astype(float)
        if vectors.shape != reference.shape:
            raise NotMeasured("data", f"outputs have {vectors.shape[1]} values and references {reference.shape[1]}.")
        norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
        return np.divide((vectors * reference).sum(axis=1), norms, out=np.zeros(len(norms)), where=norms > 0)

    b, v = cosine(baseline), cosine(variant)
    scores = PairedScores("bounded", p=v, q=b, examples=len(b), low=-1.0, high=1.0)
    return Pair(float(b.mean()), float(v.mean()), scores)
