"""YOLOX as exported: like YOLOv5, with centres and sizes still in cells of the grids they were found on."""

from __future__ import annotations

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.detection.layouts._base import Found, Outputs, Shapes, each_class, misfit, only

DESCRIPTION = "one output [examples, boxes, 5 + classes] in cells of the grids of strides 8, 16 and 32, sizes as logarithms"
ORDER, SCALE = "cxcywh", "pixels"
SUPPRESSED = False
STRIDES = (8, 16, 32)


def tells(shapes: Shapes) -> bool:
    """Never: YOLOv5 has the same shape."""
    return False


def find(outputs: Outputs, settings: Boxes, count: int, size: tuple[int, int]) -> Found:
    """Every class of every box, as sure as it is that anything is there."""
    import numpy as np

    raw = only(outputs, 3, "[examples, boxes, 5 + classes]")
    if raw.shape[2] < 6:
        raise misfit(outputs, "`yolo_x` is [examples, boxes, 5 + classes]")
    cells = [np.stack(np.meshgrid(np.arange(size[1] // s), np.arange(size[0] // s)), -1).reshape(-1, 2) for s in STRIDES]
    strides = np.concatenate([np.full((len(grid), 1), s) for grid, s in zip(cells, STRIDES, strict=True)])
    if len(strides) != raw.shape[1]:
        known = (
            f"an input of {size[0]}x{size[1]} has {len(strides)} cells of 8, 16 and 32 pixels, the output {raw.shape[1]} boxes"
        )
        raise NotMeasured("model", f"{known}. Name another layout, or decode it yourself (`boxes: {{decode: ...}}`).")
    with np.errstate(over="ignore"):
        boxes = np.concatenate([(raw[..., :2] + np.concatenate(cells)) * strides, np.exp(raw[..., 2:4]) * strides], axis=-1)
    return each_class(boxes, raw[:, :, 5:] * raw[:, :, 4:5], settings.score)
