"""Which model can stand in for another, and how it is asked then."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gatekeeper.errors import NotMeasured
from gatekeeper.models.fit import Fit, fit
from gatekeeper.models.info import Assessment, TensorInfo, TextInfo

BLANK = Assessment(
    path="m", format="onnx", files=[], bytes=1, architecture="cnn", parameters=1, weights={}, operators={}, weighted_operators={},
    nested_operators={}, inputs=[], outputs=[], opset={},
)  # fmt: skip
TEXT = TextInfo(
    family="llama", dtype="float32", vocabulary=100, context=64, layers=1, hidden=8, heads=1, kv_heads=1, row_lengths=[8]
)


def tensor(name: str, *shape: int | str | None, dtype: str = "float32") -> TensorInfo:
    return TensorInfo(name=name, dtype=dtype, shape=list(shape))


def model(inputs: list[TensorInfo], outputs: list[TensorInfo]) -> Assessment:
    return msgspec.structs.replace(BLANK, inputs=inputs, outputs=outputs)


X, MASK = tensor("x", "n", 3, 8, 8), tensor("mask", "n", 8)
LOGITS, BOXES = tensor("logits", "n", 10), tensor("boxes", "n", 4)
BASE = model([X, MASK], [LOGITS, BOXES])


def test_the_same_names_need_nothing() -> None:
    assert fit(BASE, model([X, MASK], [LOGITS, BOXES]), 1) == Fit() and fit(BASE, BASE, 1).same


def test_order_is_found_by_name() -> None:
    found = fit(BASE, model([MASK, X], [BOXES, LOGITS]), 1)
    assert found.outputs == {"logits": "logits", "boxes": "boxes"} and list(found.outputs) == ["logits", "boxes"]
    assert not found.inputs, "a feed has names"


def test_more_outputs_than_the_model_has_are_left() -> None:
    assert list(fit(BASE, model([X, MASK], [tensor("debug", 1), LOGITS, BOXES]), 1).outputs) == ["logits", "boxes"]


def test_an_input_that_was_not_used_may_be_gone() -> None:
    assert fit(BASE, model([X], [LOGITS, BOXES]), 1).inputs == {"x": ("x", "float32")}


def test_what_there_is_one_of_may_be_called_otherwise() -> None:
    found = fit(model([X], [LOGITS]), model([tensor("pixels", 1, 3, 8, 8, dtype="float16")], [tensor("out", 1, 10)]), 1)
    assert found == Fit(inputs={"pixels": ("x", "float16")}, outputs={"out": "logits"})


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (model([X, tensor("m2", "n", 8)], [LOGITS, BOXES]), "takes x, m2, the model x, mask"),
        (model([X, MASK, tensor("scale")], [LOGITS, BOXES]), "takes x, mask, scale, the model x, mask"),
        (model([X, MASK], [LOGITS]), "answers logits, the model logits, boxes"),
        (model([X, MASK], [tensor("a", 10), tensor("b", 4)]), "answers a, b, the model logits, boxes"),
        (model([tensor("x", "n", 8, 8, 3), MASK], [LOGITS, BOXES]), "its input x is [n, 8, 8, 3], the model's [n, 3, 8, 8]"),
        (model([tensor("x", "n", 192), MASK], [LOGITS, BOXES]), "its input x is [n, 192], the model's [n, 3, 8, 8]"),
        (model([tensor("x", 8, 3, 8, 8), MASK], [LOGITS, BOXES]), "its input x is [8, 3, 8, 8], the model's [n, 3, 8, 8]"),
        (model([tensor("x", "n", 3, 8, 8, dtype="uint8"), MASK], [LOGITS, BOXES]), "its input x is uint8, the model's float32"),
        (msgspec.structs.replace(BASE, text=TEXT), "the variant writes text, and the model does not"),
    ],
)
def test_another_model_is_refused_in_words(other: Assessment, said: str) -> None:
    with pytest.raises(NotMeasured) as caught:
        fit(BASE, other, 1)
    assert "it cannot stand in for the model: " in str(caught.value) and said in str(caught.value)


@pytest.mark.parametrize(("tokens", "fits"), [(100, True), (101, False)])
def test_a_text_model_has_the_same_vocabulary(tokens: int, fits: bool) -> None:
    text: Any = msgspec.structs.replace(BLANK, text=TEXT)
    other = msgspec.structs.replace(BLANK, text=msgspec.structs.replace(TEXT, vocabulary=tokens))
    if fits:
        assert fit(text, other, 1).same
    else:
        with pytest.raises(NotMeasured, match="it knows 101 tokens and the model 100"):
            fit(text, other, 1)
