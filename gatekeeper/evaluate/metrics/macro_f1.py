"""Unweighted mean of the classes' F1."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics._base import Pair, class_labels, classes
from gatekeeper.records.scores import PairedScores

FAMILY = "classification"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Unweighted mean of the classes' F1, over the classes that are labels or answers of the model."""
    import numpy as np

    truth, b, v = class_labels(labels, baseline), classes(baseline), classes(variant, baseline)
    codes = np.unique(np.concatenate([truth, b, v]), return_inverse=True)[1].reshape(3, -1)
    scores = PairedScores("classes", p=codes[2], q=codes[1], truth=codes[0], examples=len(truth))
    return Pair(f1_of(b, truth), f1_of(v, truth), scores)


def f1_of(predicted: Any, labels: Any) -> float:
    """Macro F1 of predicted classes: of each class 2 TP / (2 TP + FP + FN)."""
    import numpy as np

    names, codes = np.unique(np.concatenate([labels, predicted]), return_inverse=True)
    truth, given = codes.reshape(2, -1)
    right, labelled, answered = (np.bincount(c, minlength=len(names)) for c in (truth[truth == given], truth, given))
    return float((2 * right / (labelled + answered)).mean())
