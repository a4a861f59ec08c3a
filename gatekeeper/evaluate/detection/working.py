"""The score from which on boxes are used, where nobody says it: the one at which the baseline is most often right."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.detection.average_precision import Matches
from gatekeeper.evaluate.detection.form import SURE


def working_scores(baseline: Matches, declared: float | None) -> tuple[Any, float]:
    """The score of each class, [classes], and that of classes of which nothing is known; the declared one where there is one."""
    import numpy as np

    classes = baseline.objects.shape[1]
    if declared is not None:
        return np.full(classes, declared), declared
    whole = _best(baseline, np.ones(len(baseline.kind), bool), baseline.objects.sum())
    any_class = SURE if whole is None else whole
    each = [_best(baseline, baseline.kind == c, baseline.objects[:, c].sum()) for c in range(classes)]
    return np.array([any_class if score is None else score for score in each]), any_class


def _best(of: Matches, own: Any, objects: float) -> float | None:
    """Where F1 is largest; None where no box is right.

    Every score between that of the last box above and that of the first one below is as good for the baseline, and someone uses
    each of them: taken is the customary one as far as it lies there, and not so near to either that rounding carries one across.
    """
    import numpy as np

    own = own & of.counts[0]
    scores, right = of.score[own], of.right[0][own]
    if not right.any():
        return None
    order = np.argsort(-scores, kind="stable")
    f1 = 2 * right[order].cumsum() / (np.arange(1, len(order) + 1) + objects)
    last = np.append(np.diff(scores[order]) < 0, True)  # boxes of one score are used together
    high = float(scores[order][np.where(last, f1, -1).argmax()])
    low = float(scores[scores < high].max(initial=0.0))
    return min(max(SURE, low + (high - low) / 4), high - (high - low) / 4)
