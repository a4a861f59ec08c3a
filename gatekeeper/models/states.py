"""States: inputs of a model that one step of a sequence hands to the next, as an output."""

from __future__ import annotations

from typing import Any

import msgspec

from gatekeeper.models.info import Assessment, TensorInfo, fixed

Value = bool | int | float | str


class Carry(msgspec.Struct, frozen=True, kw_only=True):
    """An input that is a state: which output is its next value, and what it is at the first step of every example."""

    output: str
    dtype: str
    shape: list[int]  # as the model takes it; 0: as many as there are examples
    start: Value = 0

    def array(self, examples: int) -> Any:
        """At the first step."""
        import numpy as np

        return np.full([length or examples for length in self.shape], self.start, dtype=self.dtype)


def carry(tensor: TensorInfo, output: str, start: Value | list[Value]) -> Carry:
    """The state `tensor`, of which `output` is the next value."""
    lengths = [length if isinstance(length, int) and length > 0 else 0 for length in tensor.shape]
    value = start[0] if isinstance(start, list) else start
    return Carry(output=output, dtype=tensor.dtype, shape=lengths, start=value)


def state_axis(model: Assessment, tensor: TensorInfo) -> int:
    """Where a state has its examples: on its one open axis, or the first that is as long as the model's fixed batch."""
    if opened := [axis for axis, length in enumerate(tensor.shape) if not fixed(length)]:
        return opened[0]
    others = [each.shape[0] for each in model.inputs if each.name != tensor.name and each.shape]
    return next((axis for axis, length in enumerate(tensor.shape) if length in others), 0)


def states(model: Assessment) -> dict[str, str]:
    """Inputs that look like states, and the outputs that look like their next values: alike in type and shape, and in name."""
    found: dict[str, str] = {}
    for tensor in model.inputs:
        able = [each.name for each in model.outputs if len(tensor.shape) > 1 and unlike(tensor, each) is None]
        named = [name for name in able if name != tensor.name and _akin(tensor.name, name) and name not in found.values()]
        if len(named) == 1:
            found[tensor.name] = named[0]
    return found


def unlike(state: TensorInfo, output: TensorInfo) -> str | None:
    """Why an output cannot be a state's next value; None where nothing speaks against it."""
    if state.dtype != output.dtype:
        return f"'{output.name}' is {output.dtype} and '{state.name}' is {state.dtype}"
    pairs = list(zip(state.shape, output.shape, strict=False))
    if (output.shape and len(state.shape) != len(output.shape)) or any(fixed(a) and fixed(b) and a != b for a, b in pairs):
        return f"'{output.name}' is {output.shown} and '{state.name}' is {state.shown}"
    return None


def _akin(state: str, output: str) -> bool:
    """Whether one name is the other with a mark of "the next": stateN, new_state, hn, state_out, cache_0_out of cache_0_in."""
    stems = {state.lower().removesuffix(end).removeprefix(end.strip("_.") + "_") for end in ("", "_in", ".in", "_input", "_prev")}
    return any(stem and stem in output.lower() for stem in stems) and output.lower() not in stems
