"""`inputs`: how the model takes its examples, where that is not one after the other on the first axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.named import check_inputs
from gatekeeper.config.section import Section
from gatekeeper.errors import GatekeeperError
from gatekeeper.models.files import assess, model_format, there
from gatekeeper.models.layout import ambiguous

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review


class Input(Section, frozen=True, kw_only=True):
    """An input of the model that is not simply an array of examples."""

    constant: Annotated[
        bool | int | float | str | list[bool | int | float | str] | None,
        Meta(description="The value that every example gets, such as a sampling rate; it is then in no file."),
    ] = None
    batch_axis: Annotated[
        Annotated[int, Meta(ge=0, le=31)] | None,
        Meta(description="The axis along which the examples lie in the model's input; files have them first all the same."),
    ] = None


def problems(review: Review) -> None:
    """Inputs that the model does not have, or of which nothing is said; examples whose axis is not known."""
    stated = review.pipeline.inputs
    for name, each in stated.items():
        check_inputs(review, ("inputs", name), [name])
        if (each.constant is None) == (each.batch_axis is None):
            review.add(("inputs", name), "an input is a `constant`, or its examples lie along a `batch_axis`. Say one.", key=True)
    path = review.loaded.model_path()
    if path is None or not there(path) or model_format(path) not in ("onnx", "openvino_ir"):
        return
    try:
        model = assess(path)
    except GatekeeperError:  # the run says what is wrong with it
        return
    about = {tensor.name: tensor for tensor in model.inputs}
    for name, each in stated.items():
        if name in about and each.batch_axis is not None and each.batch_axis >= max(len(about[name].shape), 1):
            said = f"'{name}' has {len(about[name].shape)} axes, counted from 0. Correct the axis."
            review.add(("inputs", name, "batch_axis"), said)
    unsure = ambiguous(model)
    if unsure and unsure[0].name not in stated:
        tensor, axis = unsure
        shape = ", ".join("?" if each is None else str(each) for each in tensor.shape)
        said = f"the model takes '{tensor.name}' as [{shape}]: do its examples lie along axis {axis}, '{tensor.shape[axis]}'? "
        said += (
            f"Say `inputs: {{{tensor.name}: {{batch_axis: {axis}}}}}`, or 0 where the first axis is {tensor.shape[0]} examples."
        )
        review.add(("model", "path"), said)
