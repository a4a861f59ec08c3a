"""How a model takes its examples where that is not simply one after the other on the first axis: inputs that are one value for
all of them, and examples that lie along another axis.

What else there is sees such a model as others are: feeds and answers with the examples first, and without the constants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

from gatekeeper.models.info import Assessment, TensorInfo

Value = bool | int | float | str


class Constant(msgspec.Struct, frozen=True, kw_only=True):
    """An input of one value for all examples: its numbers in a row, with type and shape."""

    dtype: str
    shape: list[int]
    values: list[Value]

    def array(self) -> Any:
        """As the model takes it."""
        import numpy as np

        return np.array(self.values, dtype=self.dtype).reshape(self.shape)


class Layout(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Constants by input; of inputs and outputs whose examples lie along another axis than the first, which."""

    constants: dict[str, Constant] = {}
    inputs: dict[str, int] = {}
    outputs: dict[str, int] = {}

    @property
    def plain(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.constants or self.inputs or self.outputs)

    @cached_property
    def _arrays(self) -> dict[str, Any]:
        return {name: constant.array() for name, constant in self.constants.items()}

    def feed(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """What the model takes, of a feed with the examples first."""
        import numpy as np

        moved = {
            name: np.ascontiguousarray(np.moveaxis(array, 0, self.inputs[name])) if name in self.inputs else array
            for name, array in feed.items()
        }
        return moved | self._arrays

    def answers(self, names: Sequence[str], answers: Sequence[Any]) -> list[Any]:
        """What the model answered, with the examples first."""
        if not self.outputs:
            return list(answers)
        import numpy as np

        return [
            np.moveaxis(answer, self.outputs[name], 0)
            if name in self.outputs and np.ndim(answer) > self.outputs[name]
            else answer
            for name, answer in zip(names, answers, strict=True)
        ]

    def seen(self, model: Assessment) -> Assessment:
        """The model as it is seen with this layout."""
        inputs = [_first(each, self.inputs.get(each.name, 0)) for each in model.inputs if each.name not in self.constants]
        outputs = [_first(each, self.outputs.get(each.name, 0)) for each in model.outputs]
        return msgspec.structs.replace(model, inputs=inputs, outputs=outputs)


def layout(model: Assessment, constants: Mapping[str, Value | list[Value]], axes: Mapping[str, int]) -> Layout:
    """What is stated, for this model. Outputs whose shape names the axis of an input's examples have theirs where that is."""
    about = {each.name: each for each in model.inputs}
    named = {about[name].shape[axis] for name, axis in axes.items() if axis < len(about[name].shape)}
    names = {each for each in named if isinstance(each, str) and each}
    places = {each.name: next((i for i, length in enumerate(each.shape) if length in names), 0) for each in model.outputs}
    return Layout(
        constants={name: constant(about[name], value) for name, value in constants.items()},
        inputs={name: axis for name, axis in axes.items() if axis},
        outputs={name: axis for name, axis in places.items() if axis},
    )


def constant(tensor: TensorInfo, value: Value | list[Value]) -> Constant:
    """A value in the shape that the model takes: a single one fills an input of any fixed shape."""
    values = value if isinstance(value, list) else [value]
    shape = [length for length in tensor.shape if isinstance(length, int) and length > 0]
    size = 1
    for length in shape:
        size *= length
    if len(values) == 1:
        values = values * size
    elif len(shape) < len(tensor.shape) or size != len(values):
        shape = [len(values)]
    return Constant(dtype=tensor.dtype, shape=shape if len(shape) == len(tensor.shape) else shape or [1], values=values)


def ambiguous(model: Assessment) -> tuple[TensorInfo, int] | None:
    """An input whose first axis is fixed though its examples seem to lie along another, which an output has first; and that."""
    firsts = {each.shape[0] for each in model.outputs if each.shape and isinstance(each.shape[0], str)}
    for tensor in model.inputs:
        if tensor.shape and isinstance(tensor.shape[0], int) and tensor.shape[0] > 1:
            for axis, length in enumerate(tensor.shape[1:], 1):
                if isinstance(length, str) and length and length in firsts:
                    return tensor, axis
    return None


def _first(tensor: TensorInfo, axis: int) -> TensorInfo:
    if not 0 < axis < len(tensor.shape):
        return tensor
    shape = list(tensor.shape)
    return msgspec.structs.replace(tensor, shape=[shape.pop(axis), *shape])
