"""Models that runtimes answer alike, but for rounding, and models that OpenVINO's CPU answers otherwise: it computes int64 in 32
bits. Each is written into a folder as model.onnx with eval.npz.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node
EXAMPLES = 400
BIG = np.int64(2654435761)
ROWS = 512
KINDS = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}


def write(
    folder: Path,
    nodes: Sequence[Any],
    inputs: Mapping[str, Any],
    outputs: Mapping[str, str],
    weights: Mapping[str, Any],
    labels: Callable[[Any], Any] | None = None,
) -> Path:
    """`inputs` are the examples by name, `outputs` kinds by name; `labels` come of the first output, as ONNX Runtime has it."""
    import onnxruntime

    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, KINDS[a.dtype.kind], ["n", *a.shape[1:]]) for n, a in inputs.items()],
        [helper.make_tensor_value_info(n, KINDS[kind], None) for n, kind in outputs.items()],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(made)
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    path = folder / "model.onnx"
    onnx.save(model, path)
    more = {}
    if labels:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        more = {"y": labels(session.run(None, dict(inputs))[0])}
    np.savez(folder / "eval.npz", **inputs, **more)
    return path


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> Any:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def hashed(ids: str, to: str) -> list[Any]:
    """A row number from an id, by arithmetic that needs more than 32 bits where the id is large."""
    return [
        node("Mul", [ids, "big"], [f"{to}m"], name=f"{to}mul"),
        node("Div", [f"{to}m", "dv"], [f"{to}q"], name=f"{to}div"),
        node("Mod", [f"{to}q", "v"], [to], name=f"{to}mod"),
    ]


NUMBERS = {"big": BIG, "dv": np.int64(65536), "v": np.int64(ROWS), "table": normal(ROWS, 8, seed=1, scale=1.5)}
MATRICES = {"w1": normal(32, 10, seed=2, scale=0.35), "w2": normal(8, 10, seed=3, scale=0.35)}


def ids(most: int = 40000, few: float = 1.0) -> Any:
    """Numbers of which a share `few` is large; the others are 0 or 1, which need no more than 32 bits."""
    r = np.random.default_rng(7)
    return np.where(r.random(EXAMPLES) < few, r.integers(2, most, EXAMPLES), 0).astype(np.int64)


def looked_up(folder: Path, few: float = 1.0) -> Path:
    """Scores of classes, by a row of a table and by x."""
    nodes = [
        *hashed("id", "i"),
        node("Gather", ["table", "i"], ["e"], name="look"),
        node("MatMul", ["e", "w2"], ["a"], name="m2"),
        node("MatMul", ["x", "w1"], ["b"], name="m1"),
        node("Add", ["a", "b"], ["logits"], name="add"),
    ]
    inputs = {"id": ids(few=few), "x": normal(EXAMPLES, 32)}
    return write(folder, nodes, inputs, {"logits": "f"}, NUMBERS | MATRICES, lambda scores: scores.argmax(axis=1))


def int64_overflow(folder: Path) -> Path:
    """As `looked_up`, with the examples that ONNX Runtime is surest of."""
    import onnxruntime

    r = np.random.default_rng(7)
    table = (r.standard_normal((ROWS, 8)) * 1.5).astype(np.float32)
    w1, w2 = ((r.standard_normal((n, 10)) * 0.35).astype(np.float32) for n in (32, 8))
    inputs = {"id": r.integers(0, 40000, 1500), "x": r.standard_normal((1500, 32)).astype(np.float32)}
    nodes = [
        *hashed("id", "i"),
        node("Gather", ["table", "i"], ["e"], name="look"),
        node("MatMul", ["e", "w2"], ["a"], name="m2"),
        node("MatMul", ["x", "w1"], ["b"], name="m1"),
        node("Add", ["a", "b"], ["logits"], name="add"),
    ]
    weights = NUMBERS | {"table": table, "w1": w1, "w2": w2}
    path = write(folder, nodes, inputs, {"logits": "f"}, weights)
    scores = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, inputs)[0]
    best = np.sort(scores, axis=1)
    sure = np.sort(np.argsort(best[:, -2] - best[:, -1])[:1000])[:800]
    chosen = {name: array[sure] for name, array in inputs.items()}
    return write(folder, nodes, chosen, {"logits": "f"}, weights, lambda scores: scores.argmax(axis=1))


def second_output(folder: Path) -> Path:
    """Classes that are right, and beside them a position that is not."""
    nodes = [
        node("MatMul", ["x", "w1"], ["logits"], name="m1"),
        *hashed("id", "i"),
        node("Gather", ["table", "i"], ["place"], name="look"),
    ]
    inputs = {"id": ids(), "x": normal(EXAMPLES, 32)}
    weights = NUMBERS | {"w1": MATRICES["w1"]}
    return write(folder, nodes, inputs, {"logits": "f", "place": "f"}, weights, lambda scores: scores.argmax(axis=1))


def regression(folder: Path) -> Path:
    """A price by a row of a table and by x."""
    nodes = [
        *hashed("id", "i"),
        node("Gather", ["table", "i"], ["e"], name="look"),
        node("MatMul", ["x", "w1"], ["b"], name="m1"),
        node("ReduceMean", ["b"], ["s"], name="mean1", axes=[1], keepdims=1),
        node("ReduceMean", ["e"], ["t"], name="mean", axes=[1], keepdims=1),
        node("Add", ["s", "t"], ["price"], name="add"),
    ]
    inputs = {"id": ids(), "x": normal(EXAMPLES, 32)}
    weights = NUMBERS | {"w1": MATRICES["w1"]}
    return write(folder, nodes, inputs, {"price": "f"}, weights, lambda price: price[:, 0])


def shifted(folder: Path) -> Path:
    """Classes are right, and every score is not: a number for each example is added to all of them."""
    nodes = [
        node("MatMul", ["x", "w1"], ["b"], name="m1"),
        *hashed("id", "i"),
        node("Cast", ["i"], ["f"], name="cast", to=TensorProto.FLOAT),
        node("Unsqueeze", ["f", "one"], ["u"], name="column"),
        node("Add", ["b", "u"], ["logits"], name="add"),
    ]
    weights = {k: NUMBERS[k] for k in ("big", "dv", "v")} | {"w1": MATRICES["w1"], "one": np.array([1], np.int64)}
    inputs = {"id": ids(), "x": normal(EXAMPLES, 32)}
    return write(folder, nodes, inputs, {"logits": "f"}, weights, lambda scores: scores.argmax(axis=1))


# --- alike ----------------------------------------------------------------------------------------------------------


def perceptron(folder: Path) -> Path:
    nodes = [node("MatMul", ["x", "a"], ["h"]), node("Relu", ["h"], ["r"]), node("MatMul", ["r", "b"], ["logits"])]
    weights = {"a": normal(32, 256, seed=1), "b": normal(256, 10, seed=2)}
    return write(folder, nodes, {"x": normal(EXAMPLES, 32)}, {"logits": "f"}, weights)


def far_from_zero(folder: Path) -> Path:
    """Its numbers are so large that the last bits of them are what differs between examples."""
    nodes = [node("MatMul", ["x", "a"], ["h"]), node("Add", ["h", "c"], ["t"])]
    weights = {"a": normal(32, 4, seed=1), "c": np.float32(3e7)}
    return write(folder, nodes, {"x": normal(EXAMPLES, 32)}, {"t": "f"}, weights)


def rounded(folder: Path) -> Path:
    """Rounds what sums come to: the last bit decides on some examples."""
    nodes = [
        node("MatMul", ["x", "a"], ["h"]),
        node("Mul", ["h", "many"], ["m"]),
        node("Round", ["m"], ["r"]),
        node("Mod", ["r", "seven"], ["k"], fmod=1),
        node("MatMul", ["k", "b"], ["logits"]),
    ]
    weights = {"a": normal(64, 8, seed=1), "b": normal(8, 10, seed=2), "many": np.float32(3000), "seven": np.float32(7)}
    return write(folder, nodes, {"x": normal(EXAMPLES, 64)}, {"logits": "f"}, weights)


def on_the_grid(folder: Path) -> Path:
    """Pixels over 255 cut off at levels that lie on them: whether 17 / 255 * 15 reaches 1 is a matter of the last bit."""
    nodes = [
        node("Div", ["x", "most"], ["s"]),
        node("Mul", ["s", "levels"], ["m"]),
        node("Floor", ["m"], ["f"]),
        node("MatMul", ["f", "b"], ["logits"]),
    ]
    x = np.random.default_rng(0).integers(0, 16, (EXAMPLES, 16)).astype(np.float32) * 17
    weights = {"most": np.float32(255), "levels": np.float32(15), "b": normal(16, 10, seed=2)}
    return write(folder, nodes, {"x": x}, {"logits": "f"}, weights)


def ties(folder: Path) -> Path:
    """The class itself is the answer, and two classes have the same weights: which of them it is, is anybody's guess."""
    w = normal(32, 10, seed=1)
    w[:, 7] = w[:, 3]
    nodes = [node("MatMul", ["x", "w"], ["logits"]), node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0)]
    return write(folder, nodes, {"x": normal(EXAMPLES, 32)}, {"label": "i", "logits": "f"}, {"w": w})


def mask(folder: Path) -> Path:
    """Yes or no for each pixel, and the sums behind it."""
    nodes = [
        node("Conv", ["x", "k"], ["c"], pads=[1] * 4),
        node("Greater", ["c", "zero"], ["mask"]),
        node("Sigmoid", ["c"], ["shares"]),
    ]
    weights = {"k": normal(1, 3, 3, 3, seed=1), "zero": np.float32(0)}
    return write(folder, nodes, {"x": normal(EXAMPLES // 4, 3, 32, 32)}, {"shares": "f", "mask": "b"}, weights)


def nearly_nothing(folder: Path) -> Path:
    """One output is the same for all, another is noise of the last bit."""
    nodes = [
        node("MatMul", ["x", "a"], ["h"]),
        node("Softmax", ["h"], ["shares"]),
        node("ReduceMean", ["shares"], ["one"], axes=[1], keepdims=1),
        node("MatMul", ["x", "b"], ["t"]),
        node("Mul", ["t", "none"], ["zeros"]),
    ]
    weights = {"a": normal(32, 64, seed=1), "b": normal(32, 4, seed=2), "none": np.float32(0)}
    return write(folder, nodes, {"x": normal(EXAMPLES, 32)}, {"shares": "f", "one": "f", "zeros": "f"}, weights)


ALIKE = {f.__name__: f for f in (perceptron, far_from_zero, rounded, on_the_grid, ties, mask, nearly_nothing)}
APART = {f.__name__: f for f in (looked_up, second_output, regression, shifted)}
