"""Classes of outputs that answer more than one thing an example: a tag for each token, a class or a mask for each pixel."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics._base import classes

SUMS_TO_ONE = 1e-3


def positions(outputs: Any, reference: Any = None) -> Any:
    """The class at each position, [examples, positions], of outputs of three or more axes.

    Which axis holds the scores, and whether a score of its own is a probability or a logit, is read from `reference`, the
    baseline's outputs, so that both models are read alike. Whole numbers are classes themselves.
    """
    import numpy as np

    if outputs.dtype.kind in "iub":
        return outputs.reshape(len(outputs), -1).astype(np.int64)
    known = outputs if reference is None else reference
    axis = score_axis(known)
    if axis is None:
        threshold = 0.5 if known.min() >= 0 and known.max() <= 1 else 0.0
        return (outputs > threshold).reshape(len(outputs), -1).astype(np.int64)
    return outputs.argmax(axis=axis).reshape(len(outputs), -1)


def score_axis(outputs: Any) -> int | None:
    """The axis of an output's classes; None where each number is a yes or no of its own.

    Probabilities that add up to one tell. Else numbers from 0 to 1 are masks; of logits, tokens have their scores last, and
    images (four axes) in the shorter of the second and the last, unless that has one score only.
    """
    import numpy as np

    candidates = [axis for axis in (outputs.ndim - 1, 1) if outputs.shape[axis] > 1]
    shares = bool(outputs.min() >= 0 and outputs.max() <= 1)
    if shares:
        return next((axis for axis in candidates if np.allclose(outputs.sum(axis=axis), 1, atol=SUMS_TO_ONE)), None)
    if outputs.ndim == 3:
        return 2 if outputs.shape[2] > 1 else None
    if 1 in (outputs.shape[1], outputs.shape[-1]):
        return None
    return 1 if outputs.shape[1] <= outputs.shape[-1] else outputs.ndim - 1


def positional(outputs: Any) -> bool:
    """Whether an output answers at several positions: it has three or more axes, and more than one of them counts anything."""
    return bool(outputs.ndim > 2 and sum(length > 1 for length in outputs.shape[1:]) > 1)


def several(outputs: Any) -> bool:
    """Whether an example has several answers: at several positions, in several columns of whole numbers, or yes or no to each of
    several things, as where numbers from 0 to 1 do not add up to one.
    """
    import numpy as np

    if positional(outputs):
        return True
    values = outputs.reshape(len(outputs), -1)
    if values.shape[1] < 2 or values.dtype.kind in "iub":
        return bool(values.shape[1] > 1 and values.dtype.kind in "iub")
    shares = values.dtype.kind == "f" and bool(values.min() >= 0 and values.max() <= 1)
    return shares and not np.allclose(values.sum(axis=1), 1, atol=SUMS_TO_ONE)


def answered(outputs: Any, reference: Any = None) -> Any:
    """Every class that is answered, one after the other, of outputs with one answer an example or with many."""
    if positional(outputs if reference is None else reference):
        return positions(outputs, reference).reshape(-1)
    return classes(outputs, reference)
