"""Normalised discounted cumulative gain of the first ten items of a query."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _ranked
from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "ranking"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Mean over queries."""
    return _ranked.compare(baseline, variant, labels, 10)


def guess(answers: Any, labels: Any) -> float | None:
    """What items in random order get."""
    return _ranked.guess(answers, labels, 10)
