"""Normalised discounted cumulative gain of each query, as scikit-learn has it: gains as they are, and ties averaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gatekeeper.evaluate.metrics._base import Pair
from gatekeeper.records.scores import PairedScores


def compare(baseline: Any, variant: Any, labels: Any, most: int | None) -> Pair:
    """Mean over queries, of scores [items] and labels [items, 2]: relevance and query. A query given twice counts once, and one
    with a single item, which there is but one way to rank, not at all.

    What is kept is kept of what the order adds to a random one, which may get nearly all of the value.
    """
    import numpy as np

    found: dict[bytes, tuple[float, float, float]] = {}
    for gains, b, v in _queries(baseline, variant, labels):
        key = np.stack([gains, b, v]).tobytes()
        found.setdefault(key, (ndcg(gains, v, most), ndcg(gains, b, most), random(gains, most)))
    p, q, chance = np.asarray(list(found.values())).reshape(-1, 3).T
    low, high = -float(chance.max()), 1 - float(chance.min())
    scores = PairedScores("bounded", p=p - chance, q=q - chance, examples=len(q), low=low, high=high, own=p)
    return Pair(float(q.mean()), float(p.mean()), scores, above=True)


def guess(answers: Any, labels: Any, most: int | None) -> float:
    """What items in random order get."""
    import numpy as np

    return float(np.mean([random(gains, most) for gains, *_ in _queries(answers, answers, labels)]))


def random(gains: Any, most: int | None) -> float:
    """Of one query, on average over all orders: each place has the mean gain, as where all scores are the same."""
    import numpy as np

    return ndcg(gains, np.zeros(len(gains)), most)


def _queries(baseline: Any, variant: Any, labels: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Gains and both models' scores of each query that can be ranked."""
    for rows in queries(labels[:, 1]):
        if len(rows) > 1:
            yield labels[rows, 0], baseline[rows], variant[rows]


def queries(numbers: Any) -> list[Any]:
    """The rows of each query."""
    import numpy as np

    order = np.argsort(numbers, kind="stable")
    return list(np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1))


def ndcg(gains: Any, scores: Any, most: int | None) -> float:
    """Of one query."""
    import numpy as np

    weights = 1 / np.log2(np.arange(len(gains)) + 2)
    weights[len(gains) if most is None else most :] = 0
    best = float(np.sort(gains)[::-1] @ weights)
    if best == 0:
        return 0.0
    _, tie, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    mean = np.bincount(tie.reshape(-1), weights=gains) / counts
    ends = counts.cumsum()
    sums = np.concatenate([[0.0], weights.cumsum()])
    return float(mean @ (sums[ends] - sums[ends - counts]) / best)
