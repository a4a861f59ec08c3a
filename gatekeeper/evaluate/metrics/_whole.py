"""Metrics of a whole set, paired by groups of examples; and the user's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import Compare, Pair
from gatekeeper.records.scores import PairedScores

GROUPS = 50  # of the jackknife, for metrics that are no mean over examples


def user_metric(function: Callable[[Any, Any], Any]) -> Compare:
    """A metric from the user's function of (outputs, labels): one value, or one value per example."""
    import numpy as np

    def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
        b, v = np.asarray(function(baseline, labels), dtype=float), np.asarray(function(variant, labels), dtype=float)
        if b.ndim == 0:
            return jackknife(lambda outputs, truth: float(function(outputs, truth)), baseline, variant, labels)
        if b.shape != (len(labels),) or v.shape != b.shape:
            raise NotMeasured("data", f"the metric must return one value or one per example, not shape {b.shape}.")
        return Pair(float(b.mean()), float(v.mean()), PairedScores("real", p=v, q=b, examples=len(b)))

    return compare


def jackknife(metric: Callable[[Any, Any], float], baseline: Any, variant: Any, labels: Any) -> Pair:
    """Delete-a-group pseudo-values, so that a metric of the whole set pairs like one of examples.

    Pseudo-value g is G*M - (G-1)*M_without_g; their mean estimates M and their spread its error (Quenouille,
    Tukey; Efron and Tibshirani, "An Introduction to the Bootstrap", chapter 11).
    """
    import numpy as np

    count = len(labels)
    groups = min(GROUPS, count)
    member = np.random.default_rng(0).permutation(count) % groups

    def pseudo(outputs: Any, whole: float) -> Any:
        without = [metric(outputs[member != g], labels[member != g]) for g in range(groups)]
        return groups * whole - (groups - 1) * np.asarray(without)

    b, v = metric(baseline, labels), metric(variant, labels)
    return Pair(b, v, PairedScores("real", p=pseudo(variant, v), q=pseudo(baseline, b), examples=count))
