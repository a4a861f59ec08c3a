"""Found boxes held against true ones, as COCO's evaluation does (pycocotools, to which the tests hold it), all overlaps at once.

Of each image and class a found box takes, in the order of scores, the true one that it overlaps most of those that are left. One
that takes none, or lies on a crowd alone, is wrong, or does not count. pycocotools itself takes minutes for 5,000 images of 80
classes, and every variant is held against the baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.detection.average_precision import Matches
from gatekeeper.evaluate.detection.form import CLASS, CROWD, SCORE, TRUE_CLASS, held

OVERLAPS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
"""Intersection over union from which on a box is right: COCO's ten."""

EACH_CLASS = 100
"""Boxes of one class that are read of one image."""

NONE = -1.0


def matches(found: Any, truth: Any, overlaps: Sequence[float] = OVERLAPS) -> Matches:
    """Boxes [examples, most, 6] against true ones, as gatekeeper/evaluate/detection/form.py has them."""
    import numpy as np

    there = held(truth, TRUE_CLASS)
    counted = there & (truth[:, :, CROWD] == 0)
    kinds = np.unique(truth[:, :, TRUE_CLASS][counted])
    if not len(kinds):
        raise NotMeasured("data", "no example has a box, so there is nothing to find. Use examples with objects.")
    objects = np.stack([(counted & (truth[:, :, TRUE_CLASS] == kind)).sum(axis=1) for kind in kinds], axis=1)
    images, rows = [], []
    for i, boxes in enumerate(found):
        own = _surest(boxes[held(boxes[None], SCORE)[0] & np.isin(boxes[:, CLASS], kinds)].astype(float))
        images.append(np.full(len(own), i))
        rows.append(_matched(own, truth[i].astype(float), there[i].nonzero()[0], np.asarray(overlaps)))
    image = np.concatenate(images)
    kind, score = (np.concatenate([each[c] for each in rows]) for c in (0, 1))
    right, counts = (np.concatenate([each[c] for each in rows], axis=1) for c in (2, 3))
    took = np.concatenate([each[4] for each in rows], axis=1)
    return Matches(image, np.searchsorted(kinds, kind), score, right, counts, objects, took)


def _surest(boxes: Any) -> Any:
    """Boxes [k, 6] in the order of their scores, of each class as many as are read."""
    import numpy as np

    boxes = boxes[np.argsort(-boxes[:, SCORE], kind="stable")]
    if len(boxes) <= EACH_CLASS:
        return boxes
    earlier = np.zeros(len(boxes), int)
    for kind in np.unique(boxes[:, CLASS]):
        own = boxes[:, CLASS] == kind
        earlier[own] = np.arange(own.sum())
    return boxes[earlier < EACH_CLASS]


def _matched(boxes: Any, true: Any, there: Any, overlaps: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Of one image: class and score of found boxes, and at each overlap [overlaps, boxes] whether each is right, whether it
    counts, and which row of the true ones it takes, of those that are `there`.
    """
    import numpy as np

    true = true[there]
    right = np.zeros((len(overlaps), len(boxes)), bool)
    took = np.full(right.shape, -1, np.int32)
    inside = (boxes[:, 2:4] - boxes[:, :2]).prod(axis=1) >= 0  # what has less than no area is outside COCO's range of sizes
    counts = np.repeat(inside[None], len(overlaps), axis=0)
    kind, score = boxes[:, CLASS], boxes[:, SCORE]
    if not len(boxes) or not len(true):
        return kind, score, right, counts, took
    crowd = true[:, CROWD] > 0
    shares = np.where(kind[:, None] == true[:, TRUE_CLASS], shared(boxes, true, crowd), NONE)
    free = np.repeat(~crowd[None], len(overlaps), axis=0)
    least = np.minimum(overlaps, 1 - 1e-10)[:, None]
    for d in np.flatnonzero(shares.max(axis=1) >= least.min()):
        fits = np.where(free & (shares[d] >= least), shares[d], NONE)
        best = fits.shape[1] - 1 - fits[:, ::-1].argmax(axis=1)  # of equal ones the last, as there
        takes = fits.max(axis=1) >= 0
        right[takes, d] = True
        took[takes, d] = there[best[takes]]
        free[takes, best[takes]] = False
        counts[:, d] = takes | (inside[d] & ~((shares[d] >= least) & crowd).any(axis=1))
    return kind, score, right, counts, took


def shared(boxes: Any, true: Any, crowd: Any) -> Any:
    """Intersection over union of found boxes with true ones, [found, true]; of a crowd, what part of the found box lies on it."""
    import numpy as np

    low, high = np.maximum(boxes[:, None, :2], true[None, :, :2]), np.minimum(boxes[:, None, 2:4], true[None, :, 2:4])
    both = np.clip(high - low, 0, None).prod(axis=-1)
    areas, own = ((each[:, 2:4] - each[:, :2]).prod(axis=1) for each in (boxes, true))
    whole = np.where(crowd, areas[:, None], areas[:, None] + own - both)
    return np.divide(both, whole, out=np.zeros_like(both), where=whole > 0)
