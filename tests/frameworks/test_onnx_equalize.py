"""Cross-layer equalization: answers as they were, by onnxruntime; ranges even; nothing touched that could not be."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from kit.tensor_models import Model, node, weight
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.frameworks._onnx_equalize import equalized


def skew(count: int) -> Any:
    """Factors for channels, from 1 to 1000 in no order."""
    return np.random.default_rng(3).permutation(np.exp(np.linspace(0, np.log(1000), count))).astype(np.float32)


def conv(*shape: int, axis: int = 0) -> Any:
    """A kernel whose channels along an axis are of very different size."""
    sizes = [1] * len(shape)
    sizes[axis] = -1
    return (weight(*shape, scale=0.4) * skew(shape[axis]).reshape(sizes)).astype(np.float32)


RELU, POOL = node("Relu", ["a"], ["r"]), node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2])
CONV = node("Conv", ["x", "k", "kb"], ["a"], name="one", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
K = {"k": conv(8, 3, 3, 3), "kb": weight(8) * skew(8)}
IMAGE = (3, 8, 8)

CHAINS: dict[str, tuple[Model, int]] = {
    "convolutions": (Model([CONV, RELU, node("Conv", ["r", "j"], ["y"])], IMAGE, K | {"j": weight(4, 8, 3, 3)}), 1),
    "nothing between": (Model([CONV, node("Conv", ["a", "j"], ["y"])], IMAGE, K | {"j": weight(4, 8, 3, 3)}), 1),
    "leaky and pooled": (
        Model(
            [CONV, node("LeakyRelu", ["a"], ["r"], alpha=0.1), POOL, node("Conv", ["p", "j"], ["y"])],
            IMAGE,
            K | {"j": weight(4, 8, 3, 3)},
        ),
        1,
    ),
    "depthwise and pointwise": (
        Model(
            [
                CONV,
                RELU,
                node("Conv", ["r", "d", "db"], ["s"], group=8),
                node("Relu", ["s"], ["t"]),
                node("Conv", ["t", "j"], ["y"]),
            ],
            IMAGE,
            K | {"d": conv(8, 1, 3, 3), "db": weight(8), "j": weight(4, 8, 1, 1)},
        ),
        2,
    ),
    "grouped": (Model([CONV, RELU, node("Conv", ["r", "g"], ["y"], group=2)], IMAGE, K | {"g": weight(6, 4, 3, 3)}), 1),
    "transposed convolutions": (
        Model(
            [node("ConvTranspose", ["x", "t"], ["a"]), RELU, node("ConvTranspose", ["r", "u"], ["y"])],
            IMAGE,
            {"t": conv(3, 8, 3, 3, axis=1), "u": weight(8, 2, 3, 3)},
        ),
        1,
    ),
    "flattened into a matrix": (
        Model(
            [CONV, RELU, POOL, node("Flatten", ["p"], ["f"]), node("Gemm", ["f", "w", "wb"], ["y"])],
            IMAGE,
            K | {"w": weight(128, 10), "wb": weight(10)},
        ),
        1,
    ),
    "reshaped into a matrix": (
        Model(
            [
                CONV,
                RELU,
                node("Reshape", ["r", "shape"], ["f"]),
                node("Relu", ["f"], ["g"]),
                node("Gemm", ["g", "w"], ["y"], transB=1),
            ],
            IMAGE,
            K | {"w": weight(10, 512), "shape": np.array([0, 512], np.int64)},
        ),
        1,
    ),
    "pooled globally": (
        Model(
            [
                CONV,
                RELU,
                node("GlobalAveragePool", ["r"], ["p"]),
                node("Flatten", ["p"], ["f"]),
                node("MatMul", ["f", "w"], ["y"]),
            ],
            IMAGE,
            K | {"w": weight(8, 10)},
        ),
        1,
    ),
    "matrices": (
        Model(
            [node("Gemm", ["x", "v", "vb"], ["a"]), RELU, node("Gemm", ["r", "w", "wb"], ["y"], transB=1)],
            (16,),
            {"v": conv(16, 32, axis=1), "vb": weight(32) * skew(32), "w": weight(10, 32), "wb": weight(10)},
        ),
        1,
    ),
    "transposed first matrix, no bias": (
        Model(
            [node("Gemm", ["x", "v"], ["a"], transB=1, alpha=0.5), RELU, node("MatMul", ["r", "w"], ["y"])],
            (16,),
            {"v": conv(32, 16), "w": weight(32, 10)},
        ),
        1,
    ),
    "products and sums of a sequence": (
        Model(
            [node("MatMul", ["x", "v"], ["m"]), node("Add", ["vb", "m"], ["a"]), RELU, node("MatMul", ["r", "w"], ["y"])],
            (5, 16),
            {"v": conv(16, 32, axis=1), "vb": weight(32) * skew(32), "w": weight(32, 10)},
        ),
        1,
    ),
    "channels turned to the end": (
        Model(
            [CONV, RELU, node("Transpose", ["r"], ["t"], perm=[0, 2, 3, 1]), node("MatMul", ["t", "w"], ["y"])],
            IMAGE,
            K | {"w": weight(8, 5)},
        ),
        1,
    ),
    "bias apart": (
        Model(
            [node("Conv", ["x", "k"], ["m"]), node("Add", ["m", "ab"], ["a"]), RELU, node("Conv", ["r", "j"], ["y"])],
            IMAGE,
            {"k": K["k"], "ab": (weight(8) * skew(8)).reshape(8, 1, 1), "j": weight(4, 8, 3, 3)},
        ),
        1,
    ),
    "three in a row": (
        Model(
            [CONV, RELU, node("Conv", ["r", "j", "jb"], ["s"]), node("Relu", ["s"], ["t"]), node("Conv", ["t", "l"], ["y"])],
            IMAGE,
            K | {"j": conv(6, 8, 3, 3), "jb": weight(6), "l": weight(4, 6, 3, 3)},
        ),
        2,
    ),
}

J = {"j": weight(4, 8, 3, 3)}
LAST = node("Conv", ["r", "j"], ["y"])
APART: dict[str, Model] = {
    "a curve between": Model([CONV, node("Sigmoid", ["a"], ["r"]), LAST], IMAGE, K | J),
    "a ceiling between": Model(
        [CONV, node("Clip", ["a", "low", "high"], ["r"]), LAST],
        IMAGE,
        K | J | {"low": np.array(0, np.float32), "high": np.array(6, np.float32)},
    ),
    "somebody else reads": Model(
        [CONV, RELU, node("Conv", ["r", "j"], ["s"]), node("ReduceMean", ["r"], ["q"]), node("Add", ["s", "q"], ["y"])],
        IMAGE,
        K | J,
    ),
    "one weight in two layers": Model(
        [CONV, RELU, node("Conv", ["r", "m"], ["s"], pads=[1] * 4), node("Relu", ["s"], ["t"]), node("Conv", ["t", "m"], ["y"])],
        IMAGE,
        K | {"m": weight(8, 8, 3, 3)},
    ),
    "a sum of two layers": Model(
        [CONV, node("Conv", ["x", "n"], ["b"], pads=[1] * 4), node("Add", ["a", "b"], ["r"]), LAST],
        IMAGE,
        K | J | {"n": weight(8, 3, 3, 3)},
    ),
    "a constant that is not of channels": Model([CONV, node("Add", ["a", "c"], ["r"]), LAST], IMAGE, K | J | {"c": weight(8, 8)}),
    "the batch is folded in": Model(
        [CONV, RELU, node("Reshape", ["r", "shape"], ["f"]), node("MatMul", ["f", "w"], ["y"])],
        IMAGE,
        K | {"shape": np.array([-1, 8], np.int64), "w": weight(8, 5)},
    ),
    "flattened at another axis": Model(
        [CONV, RELU, node("Flatten", ["r"], ["f"], axis=2), node("MatMul", ["f", "w"], ["y"])], IMAGE, K | {"w": weight(64, 5)}
    ),
    "channels read from another axis": Model([CONV, RELU, node("MatMul", ["r", "w"], ["y"])], IMAGE, K | {"w": weight(8, 5)}),
}


def answers(proto: onnx.ModelProto, examples: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(proto.SerializeToString(), options).run(None, {"x": examples})[0]


def held(proto: onnx.ModelProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}


@pytest.mark.parametrize("name", CHAINS)
def test_answers_stay_and_ranges_become_even(name: str) -> None:
    model, pairs = CHAINS[name]
    proto = copy.deepcopy(model.proto)
    found = equalized(proto)
    assert len(found) == pairs
    before, after = answers(model.proto, model.examples), answers(proto, model.examples)
    assert np.abs(before - after).max() <= 1e-5 * np.abs(before).max()
    changed = {key for key, array in held(proto).items() if not np.array_equal(array, held(model.proto)[key])}
    assert len(changed) >= 2, "the weights must have moved, or nothing was shown"
    assert found[0].uneven[0] > 100 and found[0].uneven[1] < found[0].uneven[0] / 5
    assert str(found[0]).startswith(f"{found[0].first} -> {found[0].second} (")


@pytest.mark.parametrize("name", APART)
def test_what_is_in_the_way_is_left_alone(name: str) -> None:
    proto = copy.deepcopy(APART[name].proto)
    assert not equalized(proto)
    assert proto.SerializeToString() == APART[name].proto.SerializeToString()


def test_constants_that_others_see_are_left_alone() -> None:
    """An output of the graph, an input with a default, a body of an If that reads a tensor by name."""
    model = CHAINS["convolutions"][0].proto
    shown = copy.deepcopy(model)
    shown.graph.output.append(helper.make_tensor_value_info("r", TensorProto.FLOAT, None))
    given = copy.deepcopy(model)
    given.graph.input.append(helper.make_tensor_value_info("j", TensorProto.FLOAT, [4, 8, 3, 3]))
    inside = copy.deepcopy(model)
    body = helper.make_graph(
        [node("Identity", ["r"], ["i"])], "b", [], [helper.make_tensor_value_info("i", TensorProto.FLOAT, None)]
    )
    inside.graph.node.append(node("If", ["yes"], ["z"], then_branch=body, else_branch=body))
    inside.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    for proto in (shown, given, inside):
        assert not equalized(proto)


def test_a_dead_channel_stays_dead() -> None:
    """A channel that nothing makes, or nothing reads, has no range: a factor would be 0, or without end."""
    model = CHAINS["convolutions"][0]
    proto = copy.deepcopy(model.proto)
    for tensor in proto.graph.initializer:
        array = numpy_helper.to_array(tensor).copy()
        if tensor.name == "k":
            array[2] = 0
        if tensor.name == "j":
            array[:, 5] = 0
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    before = answers(proto, model.examples)
    assert equalized(proto)
    assert all(np.isfinite(array).all() for array in held(proto).values())
    assert np.abs(answers(proto, model.examples) - before).max() <= 1e-5 * np.abs(before).max()
    assert not held(proto)["k"][2].any() and not held(proto)["j"][:, 5].any()


def test_each_range_is_the_geometric_mean_of_both() -> None:
    """Equation 11 of the paper, by hand on one pair."""
    proto = copy.deepcopy(CHAINS["convolutions"][0].proto)
    first, second = (np.abs(held(proto)[key].astype(float)) for key in ("k", "j"))
    wanted = np.sqrt(first.max(axis=(1, 2, 3)) * second.max(axis=(0, 2, 3)))
    equalized(proto)
    assert np.allclose(np.abs(held(proto)["k"]).max(axis=(1, 2, 3)), wanted, rtol=1e-5)
    assert np.allclose(np.abs(held(proto)["j"]).max(axis=(0, 2, 3)), wanted, rtol=1e-5)
