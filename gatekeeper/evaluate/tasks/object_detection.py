"""Boxes around things, each with a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatekeeper.config.sections.dataset import Dataset
    from gatekeeper.evaluate.metrics._base import Pair
    from gatekeeper.evaluate.tasks._base import Reading
    from gatekeeper.records.scores import KeptClass

FAMILY = "object_detection"
ANSWERS = "numbers"
DESCRIPTION = "boxes around things in an image, each with a class and a score"
LABELS = (
    "[examples, most, 5]: x1, y1, x2, y2 in pixels of the input and the class, -1 where there is no box; a list of such arrays "
    "from a loader; or a folder of images and `dataset.annotations`, a COCO .json"
)
UNLABELLED = "mAP, where the original's boxes with a score of 0.25 or more are the true ones"


def gather(outputs: dict[str, Any], feed: dict[str, Any], reading: Reading) -> tuple[str, Any, set[str]] | None:
    """Boxes, out of whatever outputs hold them."""
    from pathlib import Path

    from gatekeeper.evaluate.detection.decode import decoded, image_size
    from gatekeeper.evaluate.detection.layouts._base import Outputs

    arrays = Outputs(outputs)
    count = len(next(iter(feed.values())))
    return "boxes", decoded(arrays, reading.boxes, count, image_size(feed), Path(reading.folder)), arrays.read


def label(labels: Any, dataset: Dataset, source: str) -> Any:
    """Boxes as one array."""
    from gatekeeper.evaluate.detection.truth import true_boxes

    return true_boxes(labels, source)


def takes(outputs: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """Rows of five or six numbers, several an example."""
    return len(labels) == 3 and labels[2] in (5, 6)


def agreement(baseline: Any, variant: Any) -> Pair:
    """COCO's mean average precision, where the baseline's sure boxes are the true ones."""
    from dataclasses import replace

    from gatekeeper.evaluate.metrics import map as metric

    return replace(metric.compare(baseline, variant, sure(baseline)), baseline=1.0)


def signs(baseline: Any, variant: Any) -> dict[str, float]:
    """How far boxes spread over the examples, and their scores."""
    from gatekeeper.evaluate.collapse import of_boxes, of_values

    return of_values(baseline, variant) | of_boxes(baseline, variant)


def kept(baseline: Any, variant: Any, truth: Any, slices: dict[str, Any], way: Reading) -> list[KeptClass]:
    """Boxes that are found, how well they fit where the metric asks for it, and boxes that are wrong."""
    from gatekeeper.evaluate.detection.by_class import HALF, kept_boxes
    from gatekeeper.evaluate.detection.matching import OVERLAPS

    overlaps = OVERLAPS if way.metric in (None, "map") else (HALF,)
    right = sure(baseline, way.boxes.threshold) if truth is None else truth
    return kept_boxes(baseline, variant, right, slices, way.classes, overlaps, way.boxes.threshold)


def sure(found: Any, least: float | None = None) -> Any:
    """Found boxes as true ones, of at least that score; of the customary one where none is said."""
    import numpy as np

    from gatekeeper.errors import NotMeasured
    from gatekeeper.evaluate.detection.form import CLASS, CROWD, SCORE, SURE, TRUE_CLASS

    least = SURE if least is None else least
    sure = (found[:, :, SCORE] >= least) & (found[:, :, 2:4] > found[:, :, :2]).all(axis=2)
    if not sure.any():
        raise NotMeasured(
            "model", f"the baseline finds no box with a score of {least} or more, so there is nothing to agree on. Give labels."
        )
    truth = found.astype(float)
    truth[:, :, TRUE_CLASS] = np.where(sure, found[:, :, CLASS], -1)
    truth[:, :, CROWD] = 0
    return truth
