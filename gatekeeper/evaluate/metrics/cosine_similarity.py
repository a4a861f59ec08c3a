"""Mean cosine between each output and its reference vector; kept must be that of each less the mean of all, too."""

from __future__ import annotations

from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import Pair
from gatekeeper.records.scores import PairedScores

FAMILY = "embedding"
DEFAULT = True
CHANCE = 0.0


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """The value is the mean of the cosines as they are; what is kept is kept of the lesser of both of each example.

    Less the mean, as a direction that all share makes all alike and hides what tells them apart; as they are, as one that a
    variant adds to all is gone with the mean.
    """
    (before, b), (after, v) = cosines(baseline, labels), cosines(variant, labels)
    scores = PairedScores("bounded", p=v, q=b, examples=len(b), low=-1.0, high=1.0, own=after)
    return Pair(float(before.mean()), float(after.mean()), scores, level=float(b.mean()))


def cosines(outputs: Any, labels: Any) -> tuple[Any, Any]:
    """Of each example, [examples], as it is, and the lesser of both. Of a single one there is no mean to take away."""
    import numpy as np

    vectors, reference = (each.reshape(len(each), -1).astype(float) for each in (outputs, labels))
    if vectors.shape != reference.shape:
        raise NotMeasured(
            "data",
            f"outputs have {vectors.shape[1]} values and references {reference.shape[1]}. "
            "Save vectors as long as the output's, or leave the labels out to judge by agreement.",
        )
    plain = _cosine(vectors, reference)
    if len(vectors) < 2:
        return plain, plain
    return plain, np.minimum(plain, _cosine(vectors - vectors.mean(axis=0), reference - reference.mean(axis=0)))


def _cosine(one: Any, other: Any) -> Any:
    import numpy as np

    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.divide((one * other).sum(axis=1), norms, out=np.zeros(len(norms)), where=norms > 0)
