"""Boxes as arrays, so that images with many and with none lie in one file.

Found boxes are [examples, MOST, 6]: x1, y1, x2, y2, score, class. True ones are [examples, most, 6]: x1, y1, x2, y2, class, and 1
where the box is a crowd, which COCO does not count. A row whose score (of true ones, class) is below zero holds no box. Corners
are in pixels of the model's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MOST = 300
"""Boxes of one image, those of the highest scores; pycocotools reads a hundred of each class."""

SURE = 0.25
"""The score that detectors are used with where nothing speaks for another; without labels what is surer is what must be found."""

SCORE, CLASS = 4, 5
TRUE_CLASS, CROWD = 4, 5
WIDTH = 6


def padded(found: Sequence[Any], most: int = MOST) -> Any:
    """Lists of boxes [k, 6] as one array. Numbers that are not finite make the whole image so, and are seen as such later."""
    import numpy as np

    array = np.zeros((len(found), most, WIDTH), np.float32)
    array[:, :, SCORE] = array[:, :, CLASS] = -1
    for i, boxes in enumerate(found):
        if not np.isfinite(boxes).all():
            array[i, :1] = np.nan
            continue
        best = np.argsort(-boxes[:, SCORE], kind="stable")[:most]
        array[i, : len(best)] = boxes[best]
    return array


def held(boxes: Any, column: int) -> Any:
    """Which rows hold a box, [examples, most]."""
    return boxes[:, :, column] >= 0


def corners(boxes: Any, order: str) -> Any:
    """x1, y1, x2, y2 of boxes [..., 4] that are given otherwise."""
    import numpy as np

    a, b, c, d = np.moveaxis(boxes, -1, 0)
    each = {
        "xyxy": (a, b, c, d),
        "yxyx": (b, a, d, c),
        "xywh": (a, b, a + c, b + d),
        "cxcywh": (a - c / 2, b - d / 2, a + c / 2, b + d / 2),
    }[order]
    return np.stack(each, axis=-1)
