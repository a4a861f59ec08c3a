"""From a detector's outputs to boxes: by a layout that is named, or that names and shapes tell, or by the user's own function."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.detection.depends import known, learn
from gatekeeper.evaluate.detection.form import CLASS, SCORE, WIDTH, corners, padded
from gatekeeper.evaluate.detection.layouts._base import REGISTRY, Outputs, told
from gatekeeper.evaluate.detection.suppress import suppressed

SIDES, CHANNELS = 3, (1, 3, 4)
"""Axes of an image beside that of the examples, and how long that of its colours is."""


def decoded(outputs: Outputs, settings: Boxes, count: int, size: tuple[int, int], folder: Path) -> Any:
    """Boxes [count, MOST, 6] in the outputs of a batch of `count` images, each so many pixels high and wide."""
    import numpy as np

    if settings.decode is not None:
        name = settings.decode

        def decode(arrays: Mapping[str, Any]) -> list[Any]:
            return _own(arrays, name, count, size, folder)

        own = decode(outputs)
        outputs.read.update(learn(known(name, str(folder)), outputs, own, decode))
        return padded(own)
    layout = REGISTRY.get(settings.layout or recognised(outputs))
    images = []
    for boxes, scores, classes in layout.find(outputs, settings, count, size):
        found = np.concatenate([boxes.reshape(-1, 4), scores.reshape(-1, 1), classes.reshape(-1, 1)], axis=1).astype(float)
        images.append(_in_pixels(found, settings, layout, size))
    return padded(images)


def recognised(outputs: Mapping[str, Any]) -> str:
    """The one layout that the names and shapes of the outputs tell."""
    shapes = {name: array.shape for name, array in outputs.items()}
    found = [name for name in REGISTRY.names if REGISTRY.get(name).tells(shapes)]
    if len(found) == 1:
        return found[0]
    ways = "; ".join(f"`{name}`: {REGISTRY.get(name).DESCRIPTION}" for name in found or REGISTRY.names)
    raise NotMeasured(
        "model",
        f"how boxes lie in the outputs ({told(outputs)}) is not known. Say it with `model: {{boxes: {{layout: ...}}}}`, one of "
        f"{ways}; or decode them by a function of your own, `boxes: {{decode: package.module:function}}`.",
    )


def _in_pixels(found: Any, settings: Boxes, layout: ModuleType, size: tuple[int, int]) -> Any:
    """Sure enough boxes as corners in pixels, one for each thing."""
    import numpy as np

    if not np.isfinite(found).all():
        return found
    found = found[(found[:, SCORE] >= settings.score) & (found[:, CLASS] >= 0)]
    if (found[:, SCORE] > 1 + 1e-3).any():
        raise NotMeasured(
            "model",
            f"the scores of the boxes go up to {found[:, SCORE].max():.4g}, so they are no scores. Name the layout of the "
            "outputs with `boxes: {layout: ...}`.",
        )
    boxes = corners(found[:, :4], settings.order or layout.ORDER)
    if (settings.scale or layout.SCALE) == "shares":
        height, width = size
        boxes = boxes * (width, height, width, height)
    found = np.concatenate([boxes, found[:, 4:]], axis=1)
    return found if layout.SUPPRESSED else suppressed(found, settings.overlap)


def _own(outputs: Mapping[str, Any], name: str, count: int, size: tuple[int, int], folder: Path) -> list[Any]:
    """What the user's function makes of a batch: for each example an array [boxes, 6]."""
    import numpy as np

    from gatekeeper.evaluate.datasets.loader import call, user_function

    images = call(name, user_function(name, folder), {key: array.copy() for key, array in outputs.items()}, size)
    wanted = f"it must return a list of {count} arrays [boxes, 6] (x1, y1, x2, y2, score, class), one an example"
    try:
        found = [np.asarray(each, float).reshape(-1, WIDTH) for each in images]
    except (TypeError, ValueError):
        raise NotMeasured("model", f"'{name}' returned something else: {wanted}.") from None
    if len(found) != count:
        raise NotMeasured("model", f"'{name}' returned {len(found)} arrays: {wanted}.")
    return found


def image_size(feed: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width of the images that a model is fed: of the first input of four axes, whose channels are 1, 3 or 4."""
    for array in feed.values():
        if array.ndim == 1 + SIDES:
            first, second, third = array.shape[1:]
            return (first, second) if third in CHANNELS and first not in CHANNELS else (second, third)
    return (1, 1)  # boxes are then what they are
