"""Small real ONNX models of every kind that quantizers treat differently, with examples for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.data.prepared import write_prepared

node = helper.make_node
EXAMPLES = 16


class Model:
    """An ONNX model and examples for its one input, x."""

    def __init__(
        self,
        nodes: list[onnx.NodeProto],
        shape: tuple[int, ...],
        weights: dict[str, np.ndarray],
        dtype: type = np.float32,
        opset: int = 17,
        examples: np.ndarray | None = None,
    ):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        out = helper.np_dtype_to_tensor_dtype(np.dtype(np.float32 if dtype is np.int64 else dtype))
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", kind, ["n", *shape])],
            [helper.make_tensor_value_info("y", out, None)],
            [numpy_helper.from_array(array, name) for name, array in weights.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        self.proto = onnx.shape_inference.infer_shapes(made)
        del self.proto.graph.value_info[:]
        onnx.checker.check_model(self.proto)
        random = np.random.default_rng(1)
        self.examples = random.standard_normal((EXAMPLES, *shape)).astype(dtype) if examples is None else examples


def weight(*shape: int, scale: float = 0.1, dtype: type = np.float32) -> np.ndarray:
    return (np.random.default_rng(sum(shape)).standard_normal(shape) * scale).astype(dtype)


def mlp(bias: tuple[int, ...] = (256,)) -> Model:
    nodes = [
        node("MatMul", ["x", "w0"], ["a"]),
        node("Add", ["a", "b0"], ["b"]),
        node("Relu", ["b"], ["c"]),
        node("MatMul", ["c", "w1"], ["y"]),
    ]
    return Model(nodes, (64,), {"w0": weight(64, 256), "b0": weight(*bias), "w1": weight(256, 10)})


def gemm(bias: tuple[int, ...] = (256,)) -> Model:
    nodes = [
        node("Gemm", ["x", "w0", "b0"], ["b"]),
        node("Relu", ["b"], ["c"]),
        node("Gemm", ["c", "w1", "b1"], ["y"], transB=1),
    ]
    weights = {"w0": weight(64, 256), "b0": weight(*bias), "w1": weight(10, 256), "b1": weight(10)}
    return Model(nodes, (64,), weights)


def cnn() -> Model:
    nodes = [
        node("Conv", ["x", "k", "kb"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["a"], ["b"]),
        node("Flatten", ["b"], ["c"]),
        node("Gemm", ["c", "w", "wb"], ["y"]),
    ]
    weights = {"k": weight(8, 3, 3, 3, scale=0.3), "kb": weight(8), "w": weight(8 * 64, 10), "wb": weight(10)}
    return Model(nodes, (3, 16, 16), weights)


def skewed() -> Model:
    """Two convolutions and a matrix; channels between the first two differ by up to 400 times. Two nodes have no name."""
    nodes = [
        node("Conv", ["x", "k0", "b0"], ["a"], name="stem", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["a"], ["ra"], name="act"),
        node("Conv", ["ra", "k1", "b1"], ["b"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["b"], ["rb"]),
        node("Flatten", ["rb"], ["f"], name="flat"),
        node("Gemm", ["f", "w", "b2"], ["y"], name="head"),
    ]
    factors = np.exp(np.linspace(0, 6, 8)).astype(np.float32)
    k0, k1 = weight(8, 3, 3, 3, scale=0.3), weight(6, 8, 3, 3, scale=0.3)
    weights = {
        "k0": k0 * factors[:, None, None, None], "b0": weight(8) * factors,
        "k1": k1 / factors[None, :, None, None], "b1": weight(6), "w": weight(6 * 64, 10), "b2": weight(10),
    }  # fmt: skip
    return Model(nodes, (3, 8, 8), weights)


def recurrent(operator: str, gates: int) -> Model:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node(operator, ["t", "w", "r"], ["o", "h"], hidden_size=8),
        node("Squeeze", ["h", "axis"], ["y"]),
    ]
    weights = {"w": weight(1, gates * 8, 4), "r": weight(1, gates * 8, 8), "axis": np.array([0], np.int64)}
    return Model(nodes, (5, 4), weights)


def conv_transpose() -> Model:
    return Model([node("ConvTranspose", ["x", "k"], ["y"], kernel_shape=[3, 3])], (3, 8, 8), {"k": weight(3, 16, 3, 3)})


def embedding() -> Model:
    nodes = [node("Gather", ["table", "x"], ["e"]), node("ReduceMean", ["e"], ["y"], axes=[1], keepdims=0)]
    ids = np.random.default_rng(2).integers(0, 100, (EXAMPLES, 6))
    return Model(nodes, (6,), {"table": weight(100, 32)}, np.int64, examples=ids)


def shape_arithmetic() -> Model:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "one"], ["d"]),
        node("Cast", ["d"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["x", "scale"], ["m"]),
        node("Add", ["m", "f"], ["y"]),
    ]
    return Model(nodes, (64,), {"scale": weight(64), "one": np.array(1, np.int64)})


def constant_node() -> Model:
    nodes = [
        node("Constant", [], ["w"], value=numpy_helper.from_array(weight(64, 32), "w")),
        node("MatMul", ["x", "w"], ["y"]),
    ]
    return Model(nodes, (64,), {})


def transposed_weight() -> Model:
    return Model([node("Transpose", ["w"], ["t"], perm=[1, 0]), node("MatMul", ["x", "t"], ["y"])], (64,), {"w": weight(32, 64)})


def vector_weight() -> Model:
    return Model([node("MatMul", ["x", "w"], ["y"])], (64,), {"w": weight(64)})


def batched_weight() -> Model:
    return Model([node("MatMul", ["x", "w"], ["y"])], (4, 64), {"w": weight(1, 64, 32)})


def half() -> Model:
    return Model([node("MatMul", ["x", "w"], ["y"])], (64,), {"w": weight(64, 32, dtype=np.float16)}, np.float16)


def double() -> Model:
    return Model([node("MatMul", ["x", "w"], ["y"])], (64,), {"w": weight(64, 32, dtype=np.float64)}, np.float64)


def single(opset: int) -> Model:
    return Model([node("MatMul", ["x", "w"], ["y"])], (64,), {"w": weight(64, 32)}, opset=opset)


def branches() -> Model:
    def side(name: str) -> onnx.GraphProto:
        kernel = numpy_helper.from_array(weight(64, 32), f"w{name}")
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 32])
        return helper.make_graph([node("MatMul", ["x", f"w{name}"], [name])], name, [], [out], [kernel])

    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Greater", ["s", "zero"], ["c"]),
        node("If", ["c"], ["y"], then_branch=side("t"), else_branch=side("e")),
    ]
    return Model(nodes, (64,), {"zero": np.array(0, np.float32)})


def attention() -> Model:
    nodes = [
        node("MatMul", ["x", "wq"], ["q"]),
        node("MatMul", ["x", "wk"], ["k"]),
        node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], ["s"]),
        node("Softmax", ["s"], ["p"]),
        node("MatMul", ["p", "x"], ["y"]),
    ]
    return Model(nodes, (5, 32), {"wq": weight(32, 32), "wk": weight(32, 32)})


def encoder() -> Model:
    """Attention, what it adds to, and a layer norm: two of these are one operator in ONNX Runtime."""
    made = attention()
    nodes = [n for n in made.proto.graph.node if n.output[0] != "y"]
    nodes += [
        node("MatMul", ["p", "x"], ["a"]),
        node("Add", ["x", "a"], ["b"]),
        node("LayerNormalization", ["b", "scale", "shift"], ["y"], axis=-1, epsilon=1e-5),
    ]
    weights = {"wq": weight(32, 32), "wk": weight(32, 32), "scale": 1 + weight(32), "shift": weight(32)}
    return Model(nodes, (5, 32), weights)


def parameterless() -> Model:
    return Model([node("Relu", ["x"], ["y"])], (64,), {})


MODELS = {
    "mlp": mlp,
    "gemm": gemm,
    "cnn": cnn,
    "lstm": lambda: recurrent("LSTM", 4),
    "gru": lambda: recurrent("GRU", 3),
    "conv_transpose": conv_transpose,
    "embedding": embedding,
    "shape_arithmetic": shape_arithmetic,
    "constant_node": constant_node,
    "transposed_weight": transposed_weight,
    "vector_weight": vector_weight,
    "batched_weight": batched_weight,
    "half": half,
    "double": double,
    "opset 9": lambda: single(9),
    "opset 12": lambda: single(12),
    "opset 22": lambda: single(22),
    "branches": branches,
    "attention": attention,
    "encoder": encoder,
    "parameterless": parameterless,
}


def save(model: Model, folder: Path) -> tuple[Path, Path]:
    """The model file and a calibration folder."""
    path, calibration = folder / "original.onnx", folder / "calibration"
    onnx.save(model.proto, str(path))
    calibration.mkdir()
    write_prepared(calibration, {"x": model.examples}, None)
    return path, calibration


def distance(found: Any, expected: Any) -> float:
    """Relative root mean square difference."""
    return float(np.linalg.norm(found.astype(np.float64) - expected) / np.linalg.norm(expected.astype(np.float64)))
