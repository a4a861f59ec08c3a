"""Unweighted mean of the classes' F1."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics._base import Pair, class_labels, classes
from gatekeeper.evaluate.metrics._whole import jackknife

FAMILY = "classification"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Unweighted mean of the classes' F1."""
    truth = class_labels(labels)
    all_classes = sorted(set(truth.tolist()))

    def f1(predicted: Any, labels: Any) -> float:
        return f1_of(predicted, labels, all_classes)

    return jackknife(f1, classes(baseline), classes(variant, baseline), truth)


def f1_of(predicted: Any, labels: Any, all_classes: list[int]) -> float:
    """Macro F1 of predicted classes, over classes that may be missing from these labels."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predicted, labels=all_classes, average="macro", zero_division=0))
