"""Share of examples whose label is among the five highest scores."""

from __future__ import annotations

from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import Pair, binary, class_labels

FAMILY = "classification"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Share of examples whose label is among the five highest scores."""
    truth = class_labels(labels)[:, None]

    def hits(outputs: Any) -> Any:
        if outputs.ndim != 2 or outputs.shape[1] < 6:
            raise NotMeasured("data", f"top5_accuracy needs scores of at least 6 classes; the output has shape {outputs.shape}.")
        return ((-outputs).argsort(axis=1, kind="stable")[:, :5] == truth).any(axis=1)

    return binary(hits(baseline), hits(variant))
