"""Share of examples whose predicted class is the label."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics._base import Pair, binary, class_labels, classes

FAMILY = "classification"
DEFAULT = True
RIGHT_OR_WRONG = True


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Share of examples whose predicted class is the label."""
    truth = class_labels(labels, baseline)
    return binary(classes(baseline) == truth, classes(variant, baseline) == truth)
