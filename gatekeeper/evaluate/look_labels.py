"""Whether labels can be those of a model's outputs, told by shapes and types before the model is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from gatekeeper.data.outputs import choose
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.tasks._base import Reading, Task, or_another
from gatekeeper.models.info import Assessment, TensorInfo, fixed

FLOATS = ("float", "bfloat")
NUMBERS = (*FLOATS, "int", "uint", "bool")

BOXES = "object_detection"
"""The family whose labels are boxes, which are told by themselves."""

MOST = 1 << 22
"""Numbers of answers that are made up to be held against labels; of larger outputs nothing is said here."""


def refused(
    judged: Task, model: Assessment, arrays: Mapping[str, Any], labels: Any, reading: Reading, output: str | None
) -> NotMeasured | None:
    """Why no answers of the shapes that the model has would take these labels; None where some may, or shapes are not known.

    `arrays` are examples, by input, and `labels` all there are. Answers are made up: logits, and scores that add up along either
    axis, since what numbers say decides how some are read. Only what is wrong with each of these is wrong whatever is answered.
    """
    outputs = _shapes(model, arrays, len(labels))
    if outputs is None or judged.FAMILY == BOXES:
        return None
    found = [_refused(judged, answers, labels, reading, output) for answers in _answers(outputs)]
    return found[0] if all(found) else None


def _refused(judged: Task, answers: dict[str, Any], labels: Any, reading: Reading, output: str | None) -> NotMeasured | None:
    """Why these answers do not take these labels, as scoring them would say it."""
    names = tuple(answers)
    try:
        together = judged.gather(answers, {}, reading)
        taken = together[1] if together else answers[names[choose(names, list(answers.values()), output, judged.fits)]]
    except NotMeasured as error:
        return error
    try:
        way = judged.way(taken, reading)
        judged.check(labels, judged.read(taken, way), way)
    except NotMeasured as error:
        return or_another(error, judged.name, taken.shape, labels.shape)
    return None


def _shapes(model: Assessment, arrays: Mapping[str, Any], examples: int) -> dict[str, tuple[str, tuple[int, ...]]] | None:
    """Type and shape of every output; None where one is not known, or they are too large. Axes of one name are as long."""
    lengths: dict[str, int] = {}
    for tensor in model.inputs:
        array = arrays.get(tensor.name)
        if array is not None and array.ndim == len(tensor.shape):
            pairs = zip(tensor.shape[1:], array.shape[1:], strict=True)
            lengths |= {name: length for name, length in pairs if isinstance(name, str) and name}
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for each in model.outputs:
        rest = [_length(each, axis, lengths) for axis in range(1, len(each.shape))]
        known = [length for length in rest if length is not None]
        if not each.shape or len(known) < len(rest) or not each.dtype.startswith(NUMBERS) or prod([examples, *known]) > MOST:
            return None
        found[each.name] = each.dtype, (examples, *known)
    return found or None


def _length(tensor: TensorInfo, axis: int, lengths: Mapping[str, int]) -> int | None:
    length = tensor.shape[axis]
    if isinstance(length, int):
        return length if fixed(length) else None
    return lengths.get(length or "")


def _answers(outputs: Mapping[str, tuple[str, tuple[int, ...]]]) -> Iterator[dict[str, Any]]:
    """Answers of these shapes: as they may be, and as scores that add up to one along the last axis or the second."""
    import numpy as np

    generator = np.random.default_rng(0)
    plain = {
        name: generator.standard_normal(shape).astype(np.float32) if dtype.startswith(FLOATS) else np.zeros(shape, np.int64)
        for name, (dtype, shape) in outputs.items()
    }
    yield plain
    for axis in (-1, 1):
        yield {name: _share(array, axis) for name, array in plain.items()}


def _share(array: Any, axis: int) -> Any:
    import numpy as np

    if array.ndim < 2 or array.dtype.kind != "f":
        return array
    weights = np.exp(array)
    return weights / weights.sum(axis=axis, keepdims=True)
