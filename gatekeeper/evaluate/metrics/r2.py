"""Share of the labels' variance that is explained."""

from __future__ import annotations

from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import Pair, errors
from gatekeeper.evaluate.room import STEP
from gatekeeper.records.scores import PairedScores

FAMILY = "regression"
DEFAULT = True
CHANCE = 0.0


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Share of the labels' variance that is explained, on average over the outputs, however large each is."""
    import numpy as np

    if len(labels) < 2:
        raise NotMeasured("data", "R2 needs two examples or more. Use a larger evaluation set.")
    b, v = errors(baseline, labels) ** 2, errors(variant, labels) ** 2
    truth = labels.reshape(len(labels), -1).astype(float)
    never, size = truth.min(axis=0) == truth.max(axis=0), np.abs(truth).mean(axis=0)
    spread = np.where(never, 0.0, (truth - truth.mean(axis=0)) ** 2)
    if never.all():
        raise NotMeasured("data", "all labels are the same value; R2 says nothing about them. Use a varied evaluation set.")
    # What the baseline says exactly whatever it sees, shorter numbers say as well as they can.
    v = np.where(never & ~b.any(axis=0) & (v <= (STEP * size) ** 2), 0.0, v)
    scores = PairedScores("errors", p=_scores(v, spread), q=_scores(b, spread), examples=len(b))
    return Pair(float(_values(b, spread).mean()), float(_values(v, spread).mean()), scores)


def _values(missed: Any, spread: Any) -> Any:
    """R2 of each output; of one whose labels are all the same, 1 where it is right and 0 where it is not, as in scikit-learn."""
    import numpy as np

    error, variance = missed.mean(axis=0), spread.mean(axis=0)
    known = variance > 0
    constant = np.where(error > 0, 0.0, 1.0)
    return np.where(known, 1 - error / np.where(known, variance, 1.0), constant)


def _scores(missed: Any, spread: Any) -> Any:
    """What each example adds to R2: values of which it is the mean, and their spread its error (by the delta method)."""
    import numpy as np

    variance = spread.mean(axis=0)
    known = variance > 0
    scale = np.where(known, variance, 1.0)
    lost = missed.mean(axis=0) / scale
    own = 1 - missed / scale + lost * (spread / scale - 1)
    return np.where(known, own, _values(missed, spread)).mean(axis=1)
