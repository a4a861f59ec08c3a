"""Whether one model can stand in for another: takes what the other takes, and answers what it answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from gatekeeper.errors import NotMeasured
from gatekeeper.models.info import Assessment, TensorInfo

FLOATS = ("float16", "float32", "float64")
"""Types that stand for one another: numbers are converted on the way in."""


@dataclass(frozen=True)
class Fit:
    """How a model is asked in the other's names. Inputs: its own name -> the other's, with the type it takes. Outputs alike,
    in the other's order.
    """

    inputs: dict[str, tuple[str, str]] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.inputs or self.outputs)


def fit(model: Assessment, variant: Assessment, batch: int) -> Fit:
    """`NotMeasured` where `variant` is of another kind of model than `model`; `batch` examples are asked at once."""
    if (model.text is None) != (variant.text is None):
        which, other = (
            ("the model writes text", "the variant does not") if model.text else ("the variant writes text", "the model does not")
        )
        raise _other(f"{which}, and {other}")
    variant = variant.given([each.name for each in model.inputs])
    if model.text and variant.text:
        if model.text.vocabulary != variant.text.vocabulary:
            raise _other(f"it knows {variant.text.vocabulary:,} tokens and the model {model.text.vocabulary:,}")
        return Fit()
    return Fit(_inputs(model.inputs, variant.inputs, batch), _outputs(model.outputs, variant.outputs))


def _inputs(model: list[TensorInfo], variant: list[TensorInfo], batch: int) -> dict[str, tuple[str, str]]:
    pairs = _paired(model, variant, "takes")
    for theirs, ours in pairs:
        if ours.dtype != theirs.dtype and not {ours.dtype, theirs.dtype} <= set(FLOATS):
            said = f"its input {ours.name} is {ours.dtype}, the model's {theirs.dtype}"
            raise _other(said, "Give it the same inputs, with the conversion inside the model")
        if not _shapes_fit(theirs.shape, ours.shape, batch):
            raise _other(
                f"its input {ours.name} is {_shape(ours)}, the model's {_shape(theirs)}", "Export it for the same inputs"
            )
    if len(pairs) == len(model) and all(ours.name == theirs.name and ours.dtype == theirs.dtype for theirs, ours in pairs):
        return {}
    return {ours.name: (theirs.name, ours.dtype) for theirs, ours in pairs}


def _outputs(model: list[TensorInfo], variant: list[TensorInfo]) -> dict[str, str]:
    pairs = _paired(variant, model, "answers")
    names = [ours.name for ours, _ in pairs]
    if names == [each.name for each in variant] and all(ours.name == theirs.name for ours, theirs in pairs):
        return {}
    return {ours.name: theirs.name for ours, theirs in pairs}


def _paired(wide: list[TensorInfo], narrow: list[TensorInfo], does: str) -> list[tuple[TensorInfo, TensorInfo]]:
    """Each of `narrow` with the one of `wide` that has its name; where each has one only, those two."""
    named = {each.name: each for each in wide}
    if len(wide) == len(narrow) == 1:
        return [(wide[0], narrow[0])]
    lacking = [each.name for each in narrow if each.name not in named]
    if lacking:
        model, variant = (wide, narrow) if does == "takes" else (narrow, wide)
        said = f"the variant {does} {_names(variant)}, the model {_names(model)}"
        raise _other(said, "Call them alike, so that it is known which is which")
    return [(named[each.name], each) for each in narrow]


def _shapes_fit(theirs: list[int | str | None], ours: list[int | str | None], batch: int) -> bool:
    if len(theirs) != len(ours):
        return False
    for axis, (a, b) in enumerate(zip(theirs, ours, strict=True)):
        wanted = batch if axis == 0 and not _fixed(a) else a
        if _fixed(wanted) and _fixed(b) and wanted != b:
            return False
    return True


def _fixed(length: int | str | None) -> bool:
    return isinstance(length, int) and length > 0


def _names(tensors: list[TensorInfo]) -> str:
    return ", ".join(each.name for each in tensors) or "nothing"


def _shape(tensor: TensorInfo) -> str:
    return f"[{', '.join('?' if each is None else str(each) for each in tensor.shape)}]"


def _other(said: str, remedy: str = "Name a variant of this model") -> NotMeasured:
    return NotMeasured("model", f"it cannot stand in for the model: {said}. {remedy}.")
