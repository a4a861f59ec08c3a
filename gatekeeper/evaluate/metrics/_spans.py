"""Spans of a text: first and last token, the first two numbers of an answer, against true ones, [examples, answers, 2], of which
any will do.
"""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics._base import Compare

TRIED = 20
"""Spans that are always the same, and random orders."""


def overlap(spans: Any, truth: Any) -> Any:
    """F1 of the tokens of each span with the true span that it fits best, [examples]: SQuAD's, over the model's tokens."""
    import numpy as np

    first, last = spans[:, None, 0], spans[:, None, 1]
    both = np.clip(np.minimum(last, truth[:, :, 1]) - np.maximum(first, truth[:, :, 0]) + 1, 0, None)
    each = 2 * both / (last - first + 1 + truth[:, :, 1] - truth[:, :, 0] + 1)
    return np.where(truth[:, :, 0] >= 0, each, 0.0).max(axis=1)


def exact(spans: Any, truth: Any) -> Any:
    """Whether each span is a true one, [examples]."""
    return (spans[:, None, :2] == truth).all(axis=2).any(axis=1)


def guess(compare: Compare, answers: Any, labels: Any) -> float | None:
    """What an answer that does not look gets: a span that is always the same, of the commonest true ones, or the model's own in
    random order; None where one span is right for all.
    """
    import numpy as np

    spans, counts = np.unique(labels[labels[:, :, 0] >= 0], axis=0, return_counts=True)
    if len(spans) < 2:
        return None
    always = (np.tile(span, (len(labels), 2)) for span in spans[np.argsort(-counts, kind="stable")[:TRIED]])
    generator = np.random.default_rng(0)
    shuffled = (generator.permutation(answers) for _ in range(TRIED))
    return max(compare(each, each, labels).baseline for each in (*always, *shuffled))
