"""`inputs` and `outputs`: how the model takes its examples and answers them, where that is not one after the other on the first
axis.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, prod
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.named import check_inputs, check_outputs, keys_of
from gatekeeper.config.section import Section
from gatekeeper.errors import GatekeeperError
from gatekeeper.models.files import assess, model_format, there
from gatekeeper.models.info import NO_TENSORS, fixed
from gatekeeper.models.layout import Layout, ambiguous, layout
from gatekeeper.models.states import state_axis, unlike

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.meaning import Review
    from gatekeeper.models.info import Assessment, TensorInfo


WHOLE: dict[str, Callable[[int], tuple[int, int]]] = {
    "int": lambda bits: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
    "uint": lambda bits: (0, 2**bits - 1),
}
FLOATS = ("float", "bfloat")
Constant = bool | int | float | str | list[bool | int | float | str]


class Input(Section, frozen=True, kw_only=True):
    """An input of the model that is not simply an array of examples."""

    constant: Annotated[
        Constant | None,
        Meta(description="The value every example gets, such as a sampling rate; it is then in no file. Of a state: the first."),
    ] = None
    batch_axis: Annotated[
        Annotated[int, Meta(ge=0, le=31)] | None,
        Meta(description="The axis along which the examples lie in the model's input; files have them first all the same."),
    ] = None
    carry: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="The output that is the next value of this input, a state: examples are sequences, "
            "[examples, steps, ...], asked step by step, each from a state of zeros.",
        ),
    ] = None


class Output(Section, frozen=True, kw_only=True):
    """An output of the model whose examples do not lie along its first axis, as of one that answers step by step."""

    batch_axis: Annotated[
        int,
        Meta(ge=1, le=31, description="The axis along which the examples lie in what the model answers, counted from 0."),
    ]


def asked_as(loaded: Loaded, model: Assessment) -> Assessment:
    """The model with those of its inputs that have a value of their own and are given one all the same: in the pipeline file, or
    by an array or column of their name.
    """
    dataset = loaded.pipeline.dataset
    names = {*loaded.pipeline.inputs, *(dataset.inputs if dataset else ())}
    if model.defaults and dataset and dataset.path:
        names |= set(keys_of(loaded.folder / dataset.path) or ())
    return model.given(names)


def layout_of(loaded: Loaded, model: Assessment) -> Layout:
    """What the pipeline file says of how the model takes its examples."""
    stated = loaded.pipeline.inputs
    constants = {name: each.constant for name, each in stated.items() if each.constant is not None}
    axes = {name: each.batch_axis for name, each in stated.items() if each.batch_axis is not None}
    carried = {name: each.carry for name, each in stated.items() if each.carry is not None}
    answered = {name: each.batch_axis for name, each in loaded.pipeline.outputs.items()}
    return layout(model, constants, axes, carried, answered)


def problems(review: Review) -> None:
    """Inputs that the model does not have, or of which nothing is said; examples whose axis is not known."""
    stated = review.pipeline.inputs
    for name in review.pipeline.outputs:
        check_outputs(review, ("outputs", name), [name])
    for name, each in stated.items():
        check_inputs(review, ("inputs", name), [name])
        if each.carry is not None:
            check_outputs(review, ("inputs", name, "carry"), [each.carry])
            if isinstance(each.constant, list | str):
                review.add(("inputs", name, "constant"), "a state begins with one number. Give one, or leave it out for zeros.")
        elif (each.constant is None) == (each.batch_axis is None):
            said = "an input is a `constant`, its examples lie along a `batch_axis`, or it is a state to `carry`. Say one."
            review.add(("inputs", name), said, key=True)
    path = review.loaded.model_path()
    if path is None or not there(path) or model_format(path) not in ("onnx", "openvino_ir"):
        return
    try:
        own = assess(path)
    except GatekeeperError:  # the run says what is wrong with it
        return
    model = asked_as(review.loaded, own)
    _check_kinds(review, own, model)
    about = {tensor.name: tensor for tensor in model.inputs}
    for name, each in stated.items():
        if name in about and each.batch_axis is not None and each.batch_axis >= max(len(about[name].shape), 1):
            said = f"'{name}' has {len(about[name].shape)} axes, counted from 0. Correct the axis."
            review.add(("inputs", name, "batch_axis"), said)
        if name in about and each.constant is not None and (why := _no_value(each.constant, about[name])):
            review.add(("inputs", name, "constant"), why)
    _check_carries(review, model)
    unsure = ambiguous(model)
    if unsure and unsure[0].name not in stated:
        tensor, axis = unsure
        said = (
            f"the model takes '{tensor.name}' as {tensor.shown}: do its examples lie along axis {axis}, '{tensor.shape[axis]}'? "
        )
        said += (
            f"Say `inputs: {{{tensor.name}: {{batch_axis: {axis}}}}}`, or 0 where the first axis is {tensor.shape[0]} examples."
        )
        review.add(("model", "path"), said)


def _check_kinds(review: Review, own: Assessment, model: Assessment) -> None:
    """Inputs that are no tensors; and those with a value of their own for all examples, of which the data have another."""
    for each in model.inputs:
        if each.dtype in NO_TENSORS:
            said = f"the model takes '{each.name}' as {NO_TENSORS[each.dtype]}, and only tensors can be given"
            review.add(("model", "path"), f"{said}. Export it with a tensor, or with a value of its own (an initializer).")
    given = [each for each in own.defaults if each in model.inputs and each.name not in review.pipeline.inputs]
    for each in given:
        if each.shape and fixed(each.shape[0]) and each.shape[0] != own.fixed_batch:
            said = f"'{each.name}' is {each.shown}, one value for all examples, which the model has, and the data give another"
            review.add(
                ("dataset",), f"{said}. Say it with `inputs: {{{each.name}: {{constant: [...]}}}}`, or leave it out.", key=True
            )


def _no_value(constant: Constant, tensor: TensorInfo) -> str | None:
    """Why an input does not take a value: text for a number, a part of one for a whole one, too large a one, too many."""
    values = constant if isinstance(constant, list) else [constant]
    if all(map(fixed, tensor.shape)) and (tensor.scalar or tensor.shape):
        size = prod(length for length in tensor.shape if isinstance(length, int))
        if len(values) not in (1, size):
            return f"{len(values)} values, and '{tensor.name}' {tensor.shown} takes {size}. Give one, or as many."
    kind, bits = tensor.dtype.rstrip("0123456789"), tensor.dtype.lstrip("abcdefghijklmnopqrstuvwxyz")
    for each in values:
        if isinstance(each, str) and kind in (*WHOLE, *FLOATS, "bool"):
            return f"'{each}' is text, and '{tensor.name}' takes {tensor.dtype}. Write a number."
        if kind in WHOLE and not isinstance(each, str):
            low, high = WHOLE[kind](int(bits))
            if not isfinite(each) or each != int(each) or not low <= each <= high:
                return (
                    f"'{tensor.name}' takes {tensor.dtype}, whole numbers from {low} to {high}, and this is {each}. Correct it."
                )
    return None


def _check_carries(review: Review, model: Assessment) -> None:
    """States that the named output cannot be the next value of; one output for two; states that cannot be begun."""
    inputs, outputs = ({each.name: each for each in side} for side in (model.inputs, model.outputs))
    taken: dict[str, str] = {}
    for name, each in review.pipeline.inputs.items():
        if each.carry not in outputs or name not in inputs:
            continue
        place, state = ("inputs", name, "carry"), inputs[name]
        if why := unlike(state, outputs[each.carry]):
            review.add(place, f"{why}: it is not the state's next value. Name the output that is.")
        elif each.carry in taken:
            review.add(place, f"'{each.carry}' is the next value of '{taken[each.carry]}' already. Name this state's own output.")
        taken.setdefault(each.carry, name)
        axis = state_axis(model, state) if each.batch_axis is None else each.batch_axis
        opened = [i for i, length in enumerate(state.shape) if i != axis and not fixed(length)]
        if opened or not state.shape:
            said = "only its examples' axis may be open, so that it can begin with zeros"
            review.add(("inputs", name), f"the state '{name}' is {state.shown}: {said}. Export it with its sizes.", key=True)
    left = [name for name in inputs if name not in review.pipeline.inputs]
    if taken and not left:
        review.add(("inputs",), "every input is a constant or a state, and none is left for the examples. Leave one out.")
