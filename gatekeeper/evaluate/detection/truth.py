"""True boxes as users have them, brought into the form of gatekeeper/evaluate/detection/form.py."""

from __future__ import annotations

from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.detection.form import CROWD, TRUE_CLASS, WIDTH

FORM = "[boxes, 5]: x1, y1, x2, y2 in pixels of the model's input, and the class (a sixth number is 1 for a crowd)"


def true_boxes(labels: Any, source: str) -> Any:
    """Boxes [examples, most, 6] of an array padded with the class -1, or of a list with an array of boxes for each example."""
    import numpy as np

    array = labels if isinstance(labels, np.ndarray) and labels.dtype.kind in "biuf" else _padded(labels, source)
    if array.ndim == 2 and array.shape[1] in (WIDTH - 1, WIDTH):
        array = array[:, None]
    if array.ndim != 3 or array.shape[2] not in (WIDTH - 1, WIDTH):
        raise _refused(
            source,
            f"they have shape {'x'.join(map(str, array.shape))}. Labels of object_detection are, for each example, {FORM}; in an "
            ".npz [examples, most, 5], where a row of the class -1 holds no box",
        )
    array = array.astype(float)
    if array.shape[2] == WIDTH - 1:
        array = np.concatenate([array, np.zeros((*array.shape[:2], 1))], axis=2)
    _check(array, source)
    return array


def _padded(labels: Any, source: str) -> Any:
    """One array of lists of boxes."""
    import numpy as np

    try:
        each = [np.asarray(boxes, float) for boxes in labels]
    except (TypeError, ValueError):
        raise _refused(source, f"they are no boxes. Give a list with an array for each example, {FORM}") from None
    each = [boxes.reshape(0, WIDTH - 1) if not boxes.size else boxes for boxes in each]
    if wrong := next((i for i, boxes in enumerate(each) if boxes.ndim != 2 or boxes.shape[1] not in (WIDTH - 1, WIDTH)), None):
        raise _refused(source, f"those of example {wrong} have shape {each[wrong].shape}. Give {FORM}")
    array = np.zeros((len(each), max([1, *map(len, each)]), WIDTH))
    array[:, :, TRUE_CLASS] = -1
    for i, boxes in enumerate(each):
        array[i, : len(boxes), : boxes.shape[1]] = boxes
    return array


def _check(truth: Any, source: str) -> None:
    """`NotMeasured` where a box has no size, or a class that is none, or there are none at all."""
    import numpy as np

    there = truth[:, :, TRUE_CLASS] >= 0
    if not there.any():
        raise _refused(source, "no example has a box, so there is nothing to find. Use examples with objects")
    if not np.isfinite(truth[there]).all():
        raise _refused(source, "some hold NaN or infinite values. Remove or repair those examples")
    if (truth[there][:, TRUE_CLASS] != np.round(truth[there][:, TRUE_CLASS])).any():
        raise _refused(source, f"the fifth number is the class, and some are no whole numbers. Give {FORM}")
    sides = truth[:, :, 2:4] - truth[:, :, :2]
    bad = there & (sides <= 0).any(axis=2)
    if bad.any():
        i, k = np.argwhere(bad)[0]
        shown = ", ".join(f"{number:g}" for number in truth[i, k, :4])
        raise _refused(
            source,
            f"{int(bad.sum())} of {int(there.sum())} have sides of nothing or less, the first {shown} of example {i}. Give two "
            "corners (x1, y1, x2, y2), not a corner and sides, and remove boxes without size",
        )
    crowds = there & (truth[:, :, CROWD] != 0)
    if crowds.sum() == there.sum():
        raise _refused(source, "all are crowds, which are not counted. Use examples with objects of their own")


def _refused(source: str, said: str) -> NotMeasured:
    return NotMeasured("data", f"{source}: the boxes of the labels: {said}.")
