"""Share of the labels' variance that is explained."""

from __future__ import annotations

from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import Pair, errors
from gatekeeper.records.scores import PairedScores

FAMILY = "regression"
DEFAULT = True


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Share of the labels' variance that is explained: the scores are each example's share of it."""
    truth = labels.reshape(len(labels), -1).astype(float)
    spread = ((truth - truth.mean(axis=0)) ** 2).mean(axis=1)
    if spread.mean() == 0:
        raise NotMeasured("data", "all labels are the same value; R2 says nothing about them. Use a varied evaluation set.")
    b = (spread - (errors(baseline, labels) ** 2).mean(axis=1)) / spread.mean()
    v = (spread - (errors(variant, labels) ** 2).mean(axis=1)) / spread.mean()
    return Pair(float(b.mean()), float(v.mean()), PairedScores("real", p=v, q=b, examples=len(b)))
