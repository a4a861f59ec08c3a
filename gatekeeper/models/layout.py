"""How a model takes its examples where that is not simply one after the other on the first axis: inputs that are one value for
all of them, examples that lie along another axis, and states that one step of a sequence hands to the next.

What else there is sees such a model as others are: feeds and answers with the examples first, then the steps where there are
states, and without the constants and the states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

from gatekeeper.models.info import TEXT, Assessment, TensorInfo
from gatekeeper.models.states import Carry, Value, carry, state_axis


class Constant(msgspec.Struct, frozen=True, kw_only=True):
    """An input of one value for all examples: its numbers in a row, with type and shape."""

    dtype: str
    shape: list[int]
    values: list[Value]

    def array(self) -> Any:
        """As the model takes it."""
        import numpy as np

        return np.array(self.values, dtype=str if self.dtype == TEXT else self.dtype).reshape(self.shape)


class Layout(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Constants and states by input; of inputs and outputs whose examples lie along another axis than the first, which."""

    constants: dict[str, Constant] = {}
    inputs: dict[str, int] = {}
    outputs: dict[str, int] = {}
    carries: dict[str, Carry] = {}

    @property
    def plain(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.constants or self.inputs or self.outputs or self.carries)

    @property
    def one_step(self) -> Layout:
        """The same without states handed on: they are inputs and outputs like others."""
        return msgspec.structs.replace(self, carries={})

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
        """The model as it is asked: with the examples first, and without inputs that are one value for all of them."""
        arrays = [each for each in model.inputs if not (each.scalar or each.name in self.constants)]
        inputs = [_first(each, self.inputs.get(each.name, 0)) for each in arrays]
        outputs = [_first(each, self.outputs.get(each.name, 0)) for each in model.outputs]
        if self.carries:
            handed = {each.output for each in self.carries.values()}
            inputs = [_in_steps(each) for each in inputs if each.name not in self.carries]
            outputs = [_in_steps(each) for each in outputs if each.name not in handed]
        return msgspec.structs.replace(model, inputs=inputs, outputs=outputs)

    def untold(self, model: Assessment) -> list[TensorInfo]:
        """Inputs of one value for all examples that is not stated here."""
        return [each for each in model.inputs if each.scalar and each.name not in self.constants]


def layout(
    model: Assessment,
    constants: Mapping[str, Value | list[Value]],
    axes: Mapping[str, int],
    carried: Mapping[str, str] | None = None,
    answered: Mapping[str, int] | None = None,
) -> Layout:
    """What is stated, for this model. Outputs whose shape names the axis of an input's examples have theirs where that is.

    `carried` says of a state which output is its next value; a constant of such an input is what it starts with. `answered` says
    of outputs where their examples lie, whatever their shape says.
    """
    about = {each.name: each for each in model.inputs}
    carried = carried or {}
    axes = {**{name: state_axis(model, about[name]) for name in carried}, **axes}
    carries = {name: carry(about[name], output, constants.get(name, 0)) for name, output in carried.items()}
    constants = {name: value for name, value in constants.items() if name not in carried}
    named = {about[name].shape[axis] for name, axis in axes.items() if axis < len(about[name].shape)}
    names = {each for each in named if isinstance(each, str) and each}
    places = {each.name: next((i for i, length in enumerate(each.shape) if length in names), 0) for each in model.outputs}
    places |= {each.output: axes[name] for name, each in carries.items()} | dict(answered or {})
    return Layout(
        constants={name: constant(about[name], value) for name, value in constants.items()},
        inputs={name: axis for name, axis in axes.items() if axis},
        outputs={name: axis for name, axis in places.items() if axis},
        carries=carries,
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


def _in_steps(tensor: TensorInfo) -> TensorInfo:
    """With the steps of a sequence after the examples."""
    return msgspec.structs.replace(tensor, shape=[*tensor.shape[:1], "steps", *tensor.shape[1:]])
