"""Which axis of an output holds the scores of its classes, and how scores become classes, place by place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatekeeper.data.parts import parts
from gatekeeper.errors import NotMeasured

if TYPE_CHECKING:
    from gatekeeper.evaluate.tasks._base import Reading

SAID = "`model: {class_axis: 1}`, or what it is, counted from 0"


@dataclass(frozen=True)
class Way:
    """How an output is read: the axis of its classes, or the threshold above which a single score means yes; neither where it
    holds whole numbers, which are classes themselves. `classes` is how many there are, where that is known.
    """

    reading: Reading
    axis: int | None = None
    threshold: float | None = None
    classes: int | None = None


def read(outputs: Any, way: Way) -> Any:
    """The class at each place, [examples, ...] without the axis of the classes."""
    import numpy as np

    return np.concatenate([_classes(np.asarray(outputs[part]), way) for part in parts(outputs)])


def _classes(outputs: Any, way: Way) -> Any:
    import numpy as np

    if way.threshold is not None:
        found = (outputs > way.threshold).astype(np.int32)
        return found if way.axis is None else found.squeeze(way.axis)
    if way.axis is not None:
        return outputs.argmax(axis=way.axis).astype(np.int32)
    return outputs.astype(np.int64 if outputs.dtype.itemsize > 2 else np.int32)


def threshold(outputs: Any) -> float:
    """0.5 of probabilities and 0 of logits, as the numbers tell."""
    return 0.5 if outputs.min() >= 0 and outputs.max() <= 1 else 0.0


def class_axis(outputs: Any, reading: Reading, usual: int, places: str) -> int:
    """The axis of the classes: the one that is said; else the second or the last, as the labels' shape or the classes' names
    tell, or scores that add up to one; else the `usual` one, if it is the shorter. `NotMeasured` where nothing tells.
    """
    last: int = outputs.ndim - 1
    if reading.class_axis is not None:
        if not 1 <= reading.class_axis <= last:
            said = f"`model.class_axis` is {reading.class_axis}, and the output has shape {shaped(outputs.shape)}"
            raise NotMeasured("data", f"{said}: its axes are 1 to {last} beside that of the examples. Correct it.")
        return int(reading.class_axis)
    candidates = [1, last]
    if reading.places is not None:
        candidates = [axis for axis in candidates if _without(outputs.shape, axis) == tuple(reading.places)]
        if not candidates:
            raise other_places(outputs.shape, reading.places, places)
    if reading.classes and len(candidates) > 1:
        candidates = [axis for axis in candidates if outputs.shape[axis] == len(reading.classes)] or candidates
    if len(candidates) > 1:
        candidates = [axis for axis in candidates if _adds_up(outputs, axis)] or candidates
    if len(candidates) == 1:
        return int(candidates[0])
    other = candidates[0] if usual == candidates[1] else candidates[1]
    if outputs.shape[usual] >= outputs.shape[other]:
        raise NotMeasured(
            "data",
            f"the output has shape {shaped(outputs.shape)}, and which axis holds the classes is not known. Say it with {SAID}.",
        )
    return usual


def other_places(outputs: tuple[int, ...], places: tuple[int, ...], called: str) -> NotMeasured:
    """What to do about labels of another shape than the answers."""
    said = (
        f"the labels have {shaped(places) or 'no'} {called} an example, and the output, with its classes, {shaped(outputs[1:])}"
    )
    if called == "tokens" and len(places) == 1 and places[0] > max(outputs[1:]):
        return NotMeasured("data", f"{said}: labels are longer than the tokens. Cut them as the tokens were cut.")
    if called == "tokens":
        return NotMeasured("data", f"{said}. Fill labels up with `dataset.ignore` (-100) where tokens are padding.")
    return NotMeasured("data", f"{said}. Save labels of the output's size, or put the resizing into the model.")


def shaped(shape: tuple[int, ...]) -> str:
    """As people write it."""
    return "x".join(map(str, shape))


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return tuple(length for i, length in enumerate(shape) if i not in (0, axis))


def _adds_up(outputs: Any, axis: int) -> bool:
    import numpy as np

    from gatekeeper.evaluate.metrics._positions import SUMS_TO_ONE

    few = np.asarray(outputs[:64])
    return bool(few.min() >= 0 and few.max() <= 1 and np.allclose(few.sum(axis=axis), 1, atol=SUMS_TO_ONE))
