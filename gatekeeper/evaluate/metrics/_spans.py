"""Spans of a text, [examples, 2]: first and last token, against true ones, [examples, answers, 2], of which any will do."""

from __future__ import annotations

from typing import Any


def overlap(spans: Any, truth: Any) -> Any:
    """F1 of the tokens of each span with the true span that it fits best, [examples]: SQuAD's, over the model's tokens."""
    import numpy as np

    first, last = spans[:, None, 0], spans[:, None, 1]
    both = np.clip(np.minimum(last, truth[:, :, 1]) - np.maximum(first, truth[:, :, 0]) + 1, 0, None)
    each = 2 * both / (last - first + 1 + truth[:, :, 1] - truth[:, :, 0] + 1)
    return np.where(truth[:, :, 0] >= 0, each, 0.0).max(axis=1)


def exact(spans: Any, truth: Any) -> Any:
    """Whether each span is a true one, [examples]."""
    return (spans[:, None] == truth).all(axis=2).any(axis=1)
