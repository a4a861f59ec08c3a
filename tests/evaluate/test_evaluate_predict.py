"""Real, small ONNX models, run over a prepared dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kit.support import spec
from onnx import TensorProto, helper

from gatekeeper.data.outputs import choose
from gatekeeper.data.prepared import write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.predict import Predict, Predicted, predict
from gatekeeper.evaluate.tasks._base import Reading, judged_as

X = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)


def save(folder: Path, nodes: list[Any], outputs: dict[str, tuple[int, Any]], shape: Any = ("N", 3)) -> Path:
    """A model with the input `x`; `outputs` maps names to element type and shape."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, kind, dims) for name, (kind, dims) in outputs.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(folder / "model.onnx"))
    return folder / "model.onnx"


def softmax(folder: Path, batch: int | str = "N") -> Path:
    nodes = [helper.make_node("Softmax", ["x"], ["p"], axis=1)]
    return save(folder, nodes, {"p": (TensorProto.FLOAT, [batch, 3])}, shape=(batch, 3))


def classifier(folder: Path) -> Path:
    """Like scikit-learn's exports: a label first, then probabilities."""
    nodes = [
        helper.make_node("Softmax", ["x"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    return save(folder, nodes, {"label": (TensorProto.INT64, ["N"]), "probabilities": (TensorProto.FLOAT, ["N", 3])})


def ask(
    folder: Path, model: Path, batch_size: int = 4, output: str | None = None, task: str | None = None, x: Any = X
) -> tuple[Predicted, Any]:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    write_prepared(data, {"x": x}, None)
    request = Predict(
        spec=spec(model),
        dataset=str(data),
        destination=str(folder / "predictions.npy"),
        batch_size=batch_size,
        output=output,
        reading=Reading(task=task),
    )
    return predict(request), np.load(folder / "predictions.npy")


def expected(x: Any = X) -> Any:
    scores = np.exp(x)
    return scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 64])
def test_every_example_is_predicted_once_and_in_order(tmp_path: Path, batch_size: int):
    answer, found = ask(tmp_path, softmax(tmp_path), batch_size)
    assert (answer.output, answer.examples) == ("p", 10)
    assert np.allclose(found, expected(), atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3, 4, 5, 10])
def test_a_fixed_batch_takes_a_last_smaller_one(tmp_path: Path, batch: int):
    answer, found = ask(tmp_path, softmax(tmp_path, batch), batch)
    assert answer.examples == 10
    assert np.allclose(found, expected(), atol=1e-6)


@pytest.mark.parametrize("examples", [1, 3, 7])
def test_a_fixed_batch_takes_a_dataset_smaller_than_itself(tmp_path: Path, examples: int):
    answer, found = ask(tmp_path, softmax(tmp_path, 8), 8, x=X[:examples])
    assert answer.examples == examples
    assert np.allclose(found, expected(X[:examples]), atol=1e-6)


@pytest.mark.parametrize("task", [None, "tabular_classification"])
def test_probabilities_are_judged_rather_than_labels(tmp_path: Path, task: str | None):
    answer, found = ask(tmp_path, classifier(tmp_path), task=task)
    assert answer.output == "probabilities"
    assert np.allclose(found, expected(), atol=1e-6)


def test_the_first_output_is_judged_where_it_is_no_classification(tmp_path: Path):
    assert ask(tmp_path, classifier(tmp_path), task="regression")[0].output == "label"


def test_a_named_output_is_judged(tmp_path: Path):
    answer, found = ask(tmp_path, classifier(tmp_path), output="label")
    assert answer.output == "label"
    assert (found == X.argmax(axis=1)).all()


def test_an_output_the_model_does_not_have_is_refused(tmp_path: Path):
    with pytest.raises(NotMeasured, match="no output 'logits' \\(it has label, probabilities\\)") as raised:
        ask(tmp_path, classifier(tmp_path), output="logits")
    assert raised.value.kind == "model"


@pytest.mark.parametrize("task", [None, "image_classification"])
def test_a_single_score_is_judged_where_there_is_no_more(tmp_path: Path, task: str | None):
    nodes = [helper.make_node("ReduceSum", ["x"], ["score"], keepdims=1)]
    nodes[0].input.append("axes")
    axes = helper.make_node("Constant", [], ["axes"], value=helper.make_tensor("axes", TensorProto.INT64, [1], [1]))
    answer, found = ask(tmp_path, save(tmp_path, [axes, *nodes], {"score": (TensorProto.FLOAT, ["N", 1])}), task=task)
    assert answer.output == "score"
    assert np.allclose(found[:, 0], X.sum(axis=1), atol=1e-5)


def test_an_output_without_examples_is_refused(tmp_path: Path):
    model = save(tmp_path, [helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0)], {"mean": (TensorProto.FLOAT, [])})
    with pytest.raises(NotMeasured, match="its first axis must be the examples"):
        ask(tmp_path, model)


@pytest.mark.parametrize("batch_size", [2, 4])
def test_an_output_whose_first_axis_is_not_the_examples_is_refused(tmp_path: Path, batch_size: int):
    nodes = [helper.make_node("Transpose", ["x"], ["turned"], perm=[1, 0])]
    model = save(tmp_path, nodes, {"turned": (TensorProto.FLOAT, [3, "N"])})
    remedy = r'must be the examples. Where they lie along axis 1, say `outputs: {"turned": {batch_axis: 1}}`'
    with pytest.raises(NotMeasured, match=remedy):
        ask(tmp_path, model, batch_size)


def test_a_model_that_is_none_is_the_models_fault(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(NotMeasured, match="cannot load the model") as raised:
        ask(tmp_path, tmp_path / "model.onnx")
    assert raised.value.kind == "model"


@pytest.mark.parametrize(
    ("outputs", "task", "index"),
    [
        ([np.zeros(4, np.int64), np.zeros((4, 3))], None, 1),
        ([np.zeros(4, np.int64), np.zeros((4, 3))], "regression", 0),
        ([np.zeros((4, 1)), np.zeros((4, 3))], "text_classification", 1),
        ([np.zeros((4, 1)), np.zeros((4, 3))], "embedding", 0),
        ([["a", "b"], np.zeros((2, 1))], "regression", 1),
        ([[{0: 0.1}, {0: 0.9}], np.zeros(2, np.int64)], None, 1),
    ],
)
def test_which_output_is_judged(outputs: list[Any], task: str | None, index: int):
    assert choose(("a", "b"), outputs, None, judged_as(task).fits) == index


def test_a_model_with_text_alone_has_nothing_to_judge():
    with pytest.raises(NotMeasured, match="no numeric output"):
        choose(("a",), [["cat", "dog"]], None, None)
