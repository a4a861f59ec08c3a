"""One class a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.tasks._axes import Way, class_axis, other_places, shaped, threshold
from gatekeeper.evaluate.tasks.token_classification import named

if TYPE_CHECKING:
    from gatekeeper.evaluate.metrics._base import Pair
    from gatekeeper.evaluate.tasks._base import Reading

FAMILY = "semantic_segmentation"
ANSWERS = "classes"
DESCRIPTION = "one class a pixel"
UNLABELLED = "mean IoU with the original's classes"
LABELS = (
    "whole numbers, examples x height x width, of the output's size; -100 (or another `dataset.ignore`, often 255) is left out"
)


def fits(output: Any) -> bool:
    """Scores of every pixel."""
    return bool(output.dtype.kind == "f" and output.ndim == 4)


def takes(outputs: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """Labels of as many pixels as the output has."""
    size = [length for length in labels[1:] if length > 1]
    return len(outputs) in (3, 4) and len(size) == 2 and size in (list(outputs[1:3]), list(outputs[-2:]))


def way(baseline: Any, reading: Reading) -> Way:
    """Scores by their axis of classes, the second where nothing else is told; one score a pixel is the chance of class 1."""
    shape = baseline.shape
    if baseline.dtype.kind in "iub" and baseline.ndim in (3, 4):
        return Way(reading, classes=len(reading.classes) or None)
    if baseline.dtype.kind != "f" or baseline.ndim not in (3, 4):
        raise NotMeasured(
            "data",
            f"the output has shape {shaped(shape)}; semantic_segmentation reads scores, examples x classes x height x width. "
            "Name the output that has them with `model.output`, or correct the task.",
        )
    if baseline.ndim == 3 or (reading.class_axis is None and 1 in (shape[1], shape[3])):
        axis = None if baseline.ndim == 3 else 1 if shape[1] == 1 else 3
        size = tuple(length for i, length in enumerate(shape) if i not in (0, axis))
        if reading.places is not None and _size(reading) != size:
            raise other_places(shape, reading.places, "pixels")
        return named(Way(reading, axis=axis, threshold=threshold(baseline), classes=2))
    if reading.places is not None and len(reading.places) > 2:
        import msgspec

        reading = msgspec.structs.replace(reading, places=_size(reading))
    axis = class_axis(baseline, reading, 1, "pixels")
    return named(Way(reading, axis=axis, classes=shape[axis]))


def _size(reading: Reading) -> tuple[int, ...]:
    """Height and width of the labels, which may have an axis of one channel."""
    places = reading.places or ()
    return tuple(length for length in places if length > 1) if len(places) > 2 else places


def agreement(baseline: Any, variant: Any) -> Pair:
    """Mean IoU of the variant's classes with the baseline's: a share of pixels would hide what is small."""
    from gatekeeper.evaluate.metrics import mean_iou

    return mean_iou.compare(baseline, variant, baseline)
