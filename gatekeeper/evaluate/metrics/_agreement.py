"""How far a variant answers like the baseline, for use without labels."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.collapse import centred
from gatekeeper.evaluate.metrics import cosine_similarity
from gatekeeper.evaluate.metrics._base import Pair, binary, classes
from gatekeeper.evaluate.metrics._positions import positional, positions, several
from gatekeeper.records.scores import PairedScores


def agreement(baseline: Any, variant: Any, task: str | None) -> Pair:
    """Share of examples on which the variant answers like the baseline; for use without labels.

    Classes must be equal, of outputs that answer at several positions at as many of them as can be, and numbers within 5 % of
    the baseline's own spread; for embeddings it is the mean cosine between the two models' vectors, each less the mean of all.
    """
    import numpy as np

    if task == "embedding":
        reference = centred(baseline)
        cosine = cosine_similarity.compare(reference, centred(variant), reference)
        return Pair(1.0, cosine.variant, cosine.scores)
    if task == "regression":
        b = baseline.reshape(len(baseline), -1).astype(float)
        v = variant.reshape(len(variant), -1).astype(float)
        same = (np.abs(v - b) <= 0.05 * b.std(axis=0)).all(axis=1)
    elif several(baseline):
        shares = (positions(baseline) == positions(variant, baseline)).mean(axis=1)
        if baseline.dtype.kind == "f" and not positional(baseline):  # scores of classes or yes and no to each: either must hold
            shares = shares * (classes(baseline) == classes(variant, baseline))
        scores = PairedScores("bounded", p=shares, q=np.ones(len(shares)), examples=len(shares))
        return Pair(1.0, float(shares.mean()), scores)
    else:
        same = classes(baseline) == classes(variant, baseline)
    return binary(np.ones(len(same), dtype=bool), same)
