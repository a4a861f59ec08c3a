"""Share of examples whose label is among the five highest scores."""

from __future__ import annotations

from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import Pair, binary, class_labels

FAMILY = "classification"
DEFAULT = False
RIGHT_OR_WRONG = True


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Share of examples whose label is among the five highest scores; of equal ones the last, as in scikit-learn."""
    truth = class_labels(labels, baseline)[:, None]
    if baseline.ndim != 2 or baseline.shape[1] < 6:
        raise NotMeasured("data", f"top5_accuracy needs scores of at least 6 classes; the output has shape {baseline.shape}.")
    if truth.min() < 0 or truth.max() >= baseline.shape[1]:
        raise NotMeasured(
            "data",
            f"the labels go from {truth.min()} to {truth.max()}, and the output has {baseline.shape[1]} classes. Correct them.",
        )

    def hits(outputs: Any) -> Any:
        return (outputs.argsort(axis=1, kind="stable")[:, -5:] == truth).any(axis=1)

    return binary(hits(baseline), hits(variant))
