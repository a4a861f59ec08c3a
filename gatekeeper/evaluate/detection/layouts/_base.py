"""How detectors lay out what they find. A layout is a module of this folder; its file name is what `model.boxes.layout` says.

It has:

DESCRIPTION   what the outputs are, with their shapes
ORDER, SCALE  what four numbers make a box, and whether they are `pixels` of the input or `shares` of its sides, where the
              pipeline file does not say so
SUPPRESSED    whether boxes of one thing were already brought down to one
tells(shapes) -> bool   whether the names and shapes of the outputs (of a batch) can be no other layout's
find(outputs, settings, count, size) -> one (boxes [k, 4] as they lie, scores [k], classes [k]) for each of `count` examples,
              of inputs that are so many pixels high and wide
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatekeeper.config.sections.boxes import Boxes, Part
from gatekeeper.errors import NotMeasured
from gatekeeper.registry import Registry

REGISTRY = Registry("evaluate.detection.layouts", ("DESCRIPTION", "ORDER", "SCALE", "SUPPRESSED", "tells", "find"))

Shapes = Mapping[str, tuple[int, ...]]
Found = list[tuple[Any, Any, Any]]


class Outputs(dict[str, Any]):
    """A model's outputs of a batch, by name, and which of them were read."""

    def __init__(self, arrays: Mapping[str, Any]):
        super().__init__(arrays)
        self.read: set[str] = set()

    def take(self, name: str) -> Any:
        """An output, which then counts as read."""
        self.read.add(name)
        return self[name]


def misfit(outputs: Mapping[str, Any], wanted: str) -> NotMeasured:
    """The outputs are not of the layout."""
    return NotMeasured("model", f"the outputs are {told(outputs)}, and {wanted}. Correct `model.boxes`.")


def told(outputs: Mapping[str, Any]) -> str:
    """Names and shapes, in words."""
    return ", ".join(f"{name} {'x'.join(map(str, array.shape)) or 'of one number'}" for name, array in outputs.items())


def only(outputs: Outputs, axes: int, wanted: str) -> Any:
    """The one output of so many axes."""
    fitting = [name for name, array in outputs.items() if array.ndim == axes]
    if len(fitting) != 1:
        raise misfit(outputs, f"one of them must be {wanted}")
    return outputs.take(fitting[0])


def one_of(outputs: Outputs, settings: Boxes, what: Part, words: tuple[str, ...]) -> Any:
    """The output that holds something: named in the file, or the only one whose name has one of the words."""
    if name := settings.outputs.get(what):
        if name not in outputs:
            raise NotMeasured(
                "model", f"the model has no output '{name}' (it has {', '.join(outputs)}). Correct `model.boxes.outputs`."
            )
        return outputs.take(name)
    fitting = [name for name in outputs if any(word in name.lower() for word in words)]
    if len(fitting) != 1:
        raise NotMeasured(
            "model",
            f"which of the outputs ({told(outputs)}) holds the {what} is not known. Name it with "
            f"`boxes: {{outputs: {{{what}: ...}}}}`.",
        )
    return outputs.take(fitting[0])


def each_class(boxes: Any, scores: Any, least: float) -> Found:
    """Of boxes [n, k, 4] and scores [n, k, classes] every class of a box that is above the least score is a find of its own."""
    import numpy as np

    if boxes.ndim != 3 or scores.ndim != 3 or boxes.shape != (*scores.shape[:2], 4):
        raise NotMeasured(
            "model",
            f"boxes of shape {boxes.shape} and scores of shape {scores.shape} are not [examples, boxes, 4] and [examples, boxes, "
            "classes]. Correct `model.boxes`.",
        )
    found: Found = []
    for own, of_classes in zip(boxes, scores, strict=True):
        if not (np.isfinite(own).all() and np.isfinite(of_classes).all()):
            found.append((np.full((1, 4), np.nan), np.full(1, np.nan), np.zeros(1)))
            continue
        row, column = np.nonzero(of_classes >= least)
        found.append((own[row], of_classes[row, column], column))
    return found


def without(scores: Any, background: int | None, default: int | None) -> Any:
    """Scores [n, k, classes] without the column of what is nothing."""
    import numpy as np

    column = default if background is None else background
    if column is None:
        return scores
    if not -scores.shape[-1] <= column < scores.shape[-1]:
        raise NotMeasured("model", f"`boxes.background` is {column}, and there are {scores.shape[-1]} columns. Correct it.")
    return np.delete(scores, column, axis=-1)
