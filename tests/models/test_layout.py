"""Models that take a value for all examples, or have their examples on another axis, seen as others are."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from gatekeeper.models.info import Assessment, TensorInfo
from gatekeeper.models.layout import Layout, ambiguous, constant, layout

BLANK = Assessment(
    path="m", format="onnx", files=[], bytes=1, architecture="other", parameters=1, weights={}, operators={},
    weighted_operators={}, nested_operators={}, inputs=[], outputs=[], opset={},
)  # fmt: skip


def tensor(name: str, *shape: int | str | None, dtype: str = "float32") -> TensorInfo:
    return TensorInfo(name=name, dtype=dtype, shape=list(shape))


def model(inputs: list[TensorInfo], outputs: list[TensorInfo]) -> Assessment:
    return msgspec.structs.replace(BLANK, inputs=inputs, outputs=outputs)


TIME_FIRST = model([tensor("x", 12, "n", 8), tensor("sr", dtype="int64")], [tensor("y", "n", 4), tensor("states", 12, "n", 16)])


def test_examples_come_first_and_constants_are_not_seen() -> None:
    laid = layout(TIME_FIRST, {"sr": 16000}, {"x": 1})
    seen = laid.seen(TIME_FIRST)
    assert [(each.name, each.shape) for each in seen.inputs] == [("x", ["n", 12, 8])]
    assert [each.shape for each in seen.outputs] == [["n", 4], ["n", 12, 16]]
    assert TIME_FIRST.fixed_batch == 12 and seen.fixed_batch is None


def test_feeds_and_answers_go_there_and_back() -> None:
    laid = layout(TIME_FIRST, {"sr": 16000}, {"x": 1})
    x, states = np.random.default_rng(0).random((5, 12, 8)), np.arange(12 * 5 * 16).reshape(12, 5, 16)
    feed = laid.feed({"x": x})
    assert feed["x"].shape == (12, 5, 8) and feed["x"].flags["C_CONTIGUOUS"] and (feed["x"][:, 3] == x[3]).all()
    assert feed["sr"].shape == () and feed["sr"].dtype == np.int64 and feed["sr"] == 16000
    y, back = laid.answers(["y", "states"], [x, states])
    assert y is x and back.shape == (5, 12, 16) and (back[3] == states[:, 3]).all()


def test_an_output_whose_shape_does_not_tell_has_its_examples_where_it_is_said() -> None:
    laid = layout(TIME_FIRST, {}, {}, answered={"states": 1})
    states = np.arange(12 * 5 * 16).reshape(12, 5, 16)
    assert laid.outputs == {"states": 1} and not laid.plain
    assert (laid.answers(["states"], [states])[0][3] == states[:, 3]).all()
    assert layout(TIME_FIRST, {}, {"x": 1}, answered={"states": 2}).outputs == {"states": 2}, "what is said holds"


def test_nothing_stated_is_nothing_done() -> None:
    plain = layout(TIME_FIRST, {}, {"x": 0})
    assert plain == Layout() and plain.plain and plain.seen(TIME_FIRST) == TIME_FIRST


@pytest.mark.parametrize(
    ("of", "value", "array"),
    [
        (tensor("a"), 3, np.float32(3)),
        (tensor("a", 1, dtype="int64"), 3, np.array([3])),
        (tensor("a", 2, 2), 0.5, np.full((2, 2), 0.5, np.float32)),
        (tensor("a", 3), [1, 2, 3], np.array([1, 2, 3], np.float32)),
        (tensor("a", "k"), [1, 2], np.array([1, 2], np.float32)),
        (tensor("a", dtype="bool"), True, np.True_),
    ],
)
def test_a_constant_has_the_models_shape(of: TensorInfo, value: float | list[float], array: np.ndarray) -> None:
    made = constant(of, value).array()
    assert made.shape == array.shape and made.dtype == of.dtype and (made == array).all()


@pytest.mark.parametrize(
    ("inputs", "outputs", "asks"),
    [
        ([tensor("x", 12, "n", 8)], [tensor("y", "n", 4)], ("x", 1)),
        ([tensor("x", 8, "seq")], [tensor("y", 8, "seq", 5)], None),
        ([tensor("x", "n", 12)], [tensor("y", "n", 4)], None),
        ([tensor("x", 1, "t")], [tensor("y", "t", 4)], None),
        ([tensor("x", 4, None)], [tensor("y", None, 4)], None),
    ],
)
def test_what_is_not_clear_is_asked(inputs: list[TensorInfo], outputs: list[TensorInfo], asks: tuple[str, int] | None) -> None:
    found = ambiguous(model(inputs, outputs))
    assert (found and (found[0].name, found[1])) == asks
