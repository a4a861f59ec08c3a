"""Of boxes of one class that lie on one another the surest (non-maximum suppression)."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.detection.form import CLASS, MOST, SCORE

CANDIDATES = 3000
"""Boxes of one image that are looked at, those of the highest scores."""


def suppressed(boxes: Any, overlap: float) -> Any:
    """Boxes [k, 6], without those that cover more than `overlap` (intersection over union) of a surer one of their class."""
    import numpy as np

    left = boxes[np.argsort(-boxes[:, SCORE], kind="stable")[:CANDIDATES]]
    kept: list[Any] = []
    while len(left) and len(kept) < MOST:
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[(left[:, CLASS] != best[CLASS]) | (shared(best, left) <= overlap)]
    return np.asarray(kept, boxes.dtype).reshape(-1, boxes.shape[1])


def shared(box: Any, others: Any) -> Any:
    """Intersection over union of one box with others [k, 4 or more]."""
    import numpy as np

    wide = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    high = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    both = np.clip(wide, 0, None) * np.clip(high, 0, None)
    areas = np.clip(others[:, 2] - others[:, 0], 0, None) * np.clip(others[:, 3] - others[:, 1], 0, None)
    own = max(float(box[2] - box[0]), 0.0) * max(float(box[3] - box[1]), 0.0)
    return both / np.maximum(own + areas - both, 1e-12)
