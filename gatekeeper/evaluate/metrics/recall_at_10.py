"""Share of queries with one of the same thing among the 10 nearest."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _neighbours
from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "retrieval"
DEFAULT = False


def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Right or wrong, query by query; or, of things with several queries, how many of each thing's."""
    return _neighbours.compare(baseline, variant, labels, 10)


def guess(answers: Any, labels: Any) -> float | None:
    """What vectors that say nothing get."""
    return _neighbours.guess(labels, 10)
