"""F1 of yes to each of several labels. Answers and labels, [examples, labels], are 0, 1, or `IGNORED` where one is not known."""

from __future__ import annotations

from typing import Any

from gatekeeper.data.prepared import IGNORED
from gatekeeper.evaluate.metrics import _counts
from gatekeeper.evaluate.metrics._base import Compare, Pair


def f1(baseline: Any, variant: Any, labels: Any, together: bool) -> Pair:
    """The mean over labels, or that of all labels `together`."""
    tables = [(labels == 1).astype(int), *_table(baseline, labels), *_table(variant, labels)]
    if together:
        tables = [each.sum(axis=1, keepdims=True) for each in tables]
    labelled, given, right, after, kept = tables
    return _counts.of_tables(labelled, (given, right), (after, kept))


def _table(answers: Any, labels: Any) -> tuple[Any, Any]:
    """Yes to each label, and rightly."""
    given = (answers == 1) & (labels != IGNORED)
    return given.astype(int), (given & (labels == 1)).astype(int)


def guess(compare: Compare, answers: Any, labels: Any) -> float | None:
    """What an answer that does not look gets: yes to everything, or the model's answers in random order."""
    import numpy as np

    if len(np.unique(labels[labels != IGNORED])) < 2:
        return None
    generator = np.random.default_rng(0)
    tried = [np.ones_like(answers), *(generator.permutation(answers) for _ in range(_counts.SHUFFLED))]
    return max(_counts.score(compare, each, labels) for each in tried)
