"""One class a token: names in a text, parts of speech, phonemes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.tasks._axes import Way, class_axis, other_places, shaped, threshold

if TYPE_CHECKING:
    from gatekeeper.evaluate.tasks._base import Reading

FAMILY = "token_classification"
ANSWERS = "classes"
DESCRIPTION = "one class a token of a text, or a step of a series"
UNLABELLED = "share of tokens answered with the same class; padding, by the input whose name has `mask`, is no token"
LABELS = "whole numbers, examples x tokens; -100 (`dataset.ignore`) where a token is padding or goes unlabelled"


def fits(output: Any) -> bool:
    """Scores of every token."""
    return bool(output.dtype.kind == "f" and output.ndim == 3)


def takes(outputs: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """Labels of as many tokens as the output has."""
    return len(outputs) == 3 and len(labels) == 2 and labels[1] > 1 and labels[1] in outputs[1:]


def way(baseline: Any, reading: Reading) -> Way:
    """Scores by their axis of classes, examples x tokens x classes where nothing else is told; one score a token is the chance of
    class 1; or classes already.
    """
    if baseline.ndim == 2 and baseline.dtype.kind in "iub":
        if reading.places is not None and tuple(reading.places) != baseline.shape[1:]:
            raise other_places((*baseline.shape, 1), reading.places, "tokens")
        return Way(reading, classes=len(reading.classes) or None)
    if baseline.dtype.kind == "f" and baseline.ndim in (2, 3) and baseline.shape[2:] in ((), (1,)) and reading.class_axis is None:
        if reading.places is not None and tuple(reading.places) != baseline.shape[1:2]:
            raise other_places((*baseline.shape[:2], 1), reading.places, "tokens")
        return named(Way(reading, axis=2 if baseline.ndim == 3 else None, threshold=threshold(baseline), classes=2))
    if baseline.ndim != 3 or baseline.dtype.kind != "f":
        raise NotMeasured(
            "data",
            f"the output has shape {shaped(baseline.shape)}; token_classification reads scores, examples x tokens x classes. "
            "Name the output that has them with `model.output`, or correct the task.",
        )
    axis = class_axis(baseline, reading, 2, "tokens")
    return named(Way(reading, axis=axis, classes=baseline.shape[axis]))


def named(way: Way) -> Way:
    """The way, where the names are as many as the classes."""
    names = way.reading.classes
    if names and way.classes is not None and len(names) != way.classes:
        said = f"`dataset.classes` has {len(names)} names and the output {way.classes} classes"
        raise NotMeasured("data", f"{said}. Name every one, in the output's order.")
    return way
