"""Small models whose variants are worse than an average shows: each writes model.onnx, data and pipeline.yaml into a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PIPELINE = """\
edge_ai_pipeline:
  stages: [model_validation, optimization{stages}]
  model: {{path: model.onnx, task: {task}}}
  dataset: {{path: eval.npz}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [onnx_runtime], techniques: {{onnx_runtime: [{technique}]}}}}
  gates: {{speedup: disabled, memory: disabled, stability: disabled}}
  measure: {{max_rounds: 2, blocks: 1, block_ms: 5}}
"""


def write(
    folder: Path,
    nodes: Sequence[Any],
    shape: Sequence[int],
    outputs: Mapping[str, Sequence[int]],
    weights: Mapping[str, Any],
    data: Mapping[str, Any],
    task: str,
    technique: str = "int8_dynamic",
    more: str = "",
) -> Path:
    """A model of one input `x`; shapes are those of an example. Returns the pipeline file."""

    def value(name: str, of: Sequence[int]) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *of])

    initializers = [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", [value("x", shape)], [value(n, s) for n, s in outputs.items()], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    np.savez(folder / "eval.npz", **data)
    file = folder / "pipeline.yaml"
    file.write_text(PIPELINE.format(task=task, technique=technique, stages=", testing" if more else "") + more)
    return file


def two_heads(folder: Path) -> Path:
    """Classes, and distances in micrometres whose weights half precision clips."""
    r = np.random.default_rng(7)
    one, other = r.standard_normal((64, 10)).astype(np.float32), (r.standard_normal((64, 4)) * 4e5).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "one"], ["logits"]),
        helper.make_node("MatMul", ["x", "other"], ["d"]),
        helper.make_node("Mul", ["d", "d"], ["d2"]),
        helper.make_node("Sqrt", ["d2"], ["range_mm"]),
    ]
    x = r.standard_normal((500, 64)).astype(np.float32)
    data = {"x": x, "y": (x @ one).argmax(axis=1)}
    outputs = {"logits": [10], "range_mm": [4]}
    return write(folder, nodes, [64], outputs, {"one": one, "other": other}, data, "image_classification", "fp16")


def minority_lost(folder: Path, labelled: bool = True) -> Path:
    """96 % are of one class; a weight of a feature that is never on makes eight bits round all others to nothing."""
    r = np.random.default_rng(0)
    n, d = 4000, 256
    y = (r.random(n) < 0.04).astype(np.int64)
    x = r.standard_normal((n, d)).astype(np.float32) * 0.3
    x[:, 0] += 4 * y
    x[:, -1] = 0
    w = np.zeros((d, 3), np.float32)
    w[0, 1], w[-1, 2] = 1, 1000
    w[:, 0] += r.standard_normal(d).astype(np.float32) * 1e-3
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Add", ["a", "b"], ["scores"])]
    data = {"x": x, "y": y} if labelled else {"x": x}
    return write(folder, nodes, [d], {"scores": [3]}, {"w": w, "b": [0, -2, -9]}, data, "tabular_classification")


def tagger(folder: Path) -> Path:
    """A class for each of 16 tokens, the first of which is louder than all others, as [CLS] often is."""
    r = np.random.default_rng(0)
    w = r.normal(size=(32, 5)).astype(np.float32)
    x = r.normal(size=(200, 16, 32)).astype(np.float32) * 0.02
    x[:, 0] = w[:, r.integers(0, 5, 200)].T * 10
    nodes = [helper.make_node("MatMul", ["x", "w"], ["logits"])]
    return write(folder, nodes, [16, 32], {"logits": [16, 5]}, {"w": w}, {"x": x}, "text_classification")


def masks(folder: Path) -> Path:
    """A probability for each pixel."""
    r = np.random.default_rng(0)
    kernel = r.normal(size=(1, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "k"], ["c"], pads=[1] * 4), helper.make_node("Sigmoid", ["c"], ["mask"])]
    x = r.normal(size=(100, 3, 64, 64)).astype(np.float32)
    return write(folder, nodes, [3, 64, 64], {"mask": [1, 64, 64]}, {"k": kernel}, {"x": x}, "image_classification")


def loud_neighbours(folder: Path) -> Path:
    """Eight bits take one scale for a whole batch: an example's answer depends on who else is asked."""
    r = np.random.default_rng(7)
    one, two = (r.standard_normal((64, k)).astype(np.float32) * s for k, s in ((64, 0.15), (10, 0.3)))
    x = r.standard_normal((1600, 64)).astype(np.float32)
    x[3::16] *= 150
    nodes = [
        helper.make_node("MatMul", ["x", "one"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "two"], ["logits"]),
    ]
    data = {"x": x, "y": (np.maximum(x @ one, 0) @ two).argmax(axis=1)}
    weights, more = {"one": one, "two": two}, "  testing: {unit_tests: basic}\n"
    return write(folder, nodes, [64], {"logits": [10]}, weights, data, "tabular_classification", more=more)


def site_lost(folder: Path) -> Path:
    """Six of a hundred examples come from a site whose weights are small: eight bits round them to nothing. Its classes are
    as common as elsewhere, so that no class shows it.
    """
    r = np.random.default_rng(3)
    n, d = 3000, 64
    north, y = r.random(n) < 0.06, r.integers(0, 2, n)
    x = r.standard_normal((n, d)).astype(np.float32) * 0.1
    x[np.arange(n), north.astype(int)] += np.where(north, 25, 6) * (2 * y - 1)
    x[:, -1] = 0
    w = np.zeros((d, 2), np.float32)
    w[0], w[1], w[-1] = (-20, 20), (-0.3, 0.3), (127, 127)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Add", ["a", "b"], ["scores"])]
    data = {"x": x, "y": y, "site": np.where(north, "north", "south")}
    file = write(folder, nodes, [d], {"scores": [2]}, {"w": w, "b": [0.01, 0]}, data, "tabular_classification")
    file.write_text(file.read_text().replace("{path: eval.npz}", "{path: eval.npz, slices: [site]}"))
    return file


def two_scales(folder: Path) -> Path:
    """Two answers, thousands and tenths: eight bits, which one scale holds for both, lose the small one."""
    r = np.random.default_rng(7)
    one, two = r.standard_normal((16, 8)).astype(np.float32) * 0.5, np.zeros((8, 2), np.float32)
    two[:4, 0], two[4:, 1] = r.standard_normal(4) * 900, r.standard_normal(4) * 0.3
    x = r.standard_normal((600, 16)).astype(np.float32)
    y = (x @ one @ two + r.standard_normal((600, 2)) * (100, 0.03)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "one"], ["a"]), helper.make_node("MatMul", ["a", "two"], ["yhat"])]
    file = write(folder, nodes, [16], {"yhat": [2]}, {"one": one, "two": two}, {"x": x, "y": y}, "regression")
    file.write_text(file.read_text().replace("eval.npz", "eval.npz, metric: r2"))
    return file


def one_of_many(folder: Path, metric: str = "r2") -> Path:
    """Fifty answers, one of which is so small beside the others that eight bits lose it: a fiftieth of the mean R2."""
    r = np.random.default_rng(0)
    w = r.standard_normal((32, 50)) * 30
    w[:, 7] = r.standard_normal(32) * 0.1
    x = r.standard_normal((3000, 32)).astype(np.float32)
    y = (x @ w + r.standard_normal((3000, 50)) * (x @ w).std(axis=0) * 0.05).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["yhat"])]
    file = write(folder, nodes, [32], {"yhat": [50]}, {"w": w}, {"x": x, "y": y}, "regression")
    file.write_text(file.read_text().replace("eval.npz", f"eval.npz, metric: {metric}"))
    return file


def rare_outliers(folder: Path, n: int = 200) -> Path:
    """A sensor that breaks once in 200 examples, and then eight bits lose all others; it did not among the first 200."""
    r = np.random.default_rng(9)
    w = r.standard_normal((32, 1)).astype(np.float32)
    w *= 4.5 / np.linalg.norm(w)
    w[1] = 0
    x = r.standard_normal((n, 32)).astype(np.float32)
    x[200:, 1][r.random(n - 200) < 0.005] = 20_000
    data = {"x": x, "y": (x @ w + r.laplace(0, 0.2, (n, 1))).astype(np.float32)}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    file = write(folder, nodes, [32], {"y": [1]}, {"w": w}, data, "regression")
    file.write_text(file.read_text().replace("eval.npz", "eval.npz, metric: mae").replace("int8_dynamic", "int8_weight_only"))
    return file


def ragged(folder: Path) -> Path:
    """Classes, and a sequence of parts of differing width."""
    r = np.random.default_rng(7)
    w = r.standard_normal((32, 10)).astype(np.float32) * 0.3
    nodes = [
        helper.make_node("SplitToSequence", ["x", "cut"], ["parts"], axis=1),
        helper.make_node("MatMul", ["x", "w"], ["logits"]),
    ]
    x = r.standard_normal((600, 32)).astype(np.float32)
    data = {"x": x, "y": (x @ w).argmax(axis=1)}
    file = write(folder, nodes[1:], [32], {"logits": [10]}, {"w": w}, data, "tabular_classification")
    model = onnx.load(folder / "model.onnx")
    model.graph.node.insert(0, nodes[0])
    model.graph.initializer.append(numpy_helper.from_array(np.array([20, 12]), "cut"))
    model.graph.output.insert(0, helper.make_tensor_sequence_value_info("parts", TensorProto.FLOAT, None))
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    return file


def one_class_ruined(folder: Path) -> Path:
    """Four in a hundred are of a class whose weight is small beside one of no use: eight bits round it to nothing."""
    r = np.random.default_rng(5)
    y = np.where(r.random(4000) < 0.04, 3, r.integers(0, 3, 4000))
    x = r.standard_normal((4000, 8)).astype(np.float32) * 0.005
    x[np.arange(4000), y] += 1
    x[:, -1] = 0
    w = np.diag([100.0] * 3 + [3.0] + [0.0] * 4)[:, :5]
    w[-1, 4] = 1000
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Add", ["a", "b"], ["scores"])]
    weights, data = {"w": w, "b": [1, 0, 0, 0, -99]}, {"x": x, "y": y}
    return write(folder, nodes, [8], {"scores": [5]}, weights, data, "tabular_classification")
