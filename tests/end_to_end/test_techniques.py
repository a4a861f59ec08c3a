"""Techniques through the command line: models that used to be blamed on a quantizer, and techniques that do nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from kit.command import call
from kit.support import install_framework, write_project
from onnx import helper, numpy_helper

node = helper.make_node
INT8 = ["int8_dynamic", "int8_static"]


def write_case(
    folder: Path, nodes: list[Any], shape: list[int], weights: dict[str, Any], techniques: dict[str, list[str]], **more: Any
) -> Path:
    """A model of image classes, the examples that it answers with the widest margin, and a pipeline file for both frameworks."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, ["n", *shape])],
        [helper.make_tensor_value_info("logits", 1, ["n", None])],
        [numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in weights.items()],
    )
    opsets = [helper.make_opsetid("", more.get("opset", 17)), *more.get("opsets", [])]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=more.get("ir", 8), functions=more.get("functions", []))
    onnx.save(model, str(folder / "model.onnx"))
    x = np.random.default_rng(7).standard_normal((1200, *shape)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    scores = session.run(None, {"x": x})[0]
    ordered = np.sort(scores, axis=1)
    sure = np.sort(np.argsort(ordered[:, -2] - ordered[:, -1])[:800])
    np.savez(folder / "eval.npz", x=x[sure][:600], y=scores[sure][:600].argmax(1))
    np.savez(folder / "calib.npz", x=x[sure][600:])
    file = folder / "pipeline.yaml"
    file.write_text(f"""\
edge_ai_pipeline:
  model: {{path: model.onnx, task: image_classification}}
  dataset: {{path: eval.npz, calibration: calib.npz}}
  optimization: {{frameworks: {json.dumps(list(techniques))}, techniques: {json.dumps(techniques)}}}
  gates: {{speedup: disabled, memory: disabled, stability: disabled, require: all}}
  measure: {{max_rounds: 2, blocks: 2, block_ms: 5, budget: 20s}}
""")
    return file


def judged(file: Path, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any], str]:
    """Exit code, variants by what follows the target's name, and what was said."""
    run = call(["run", file], file.parent, env or {})
    assert "Traceback" not in run.stderr
    report = json.loads((file.parent / "gatekeeper-report/report.json").read_text())
    variants = {v["id"].partition("/")[2]: v for t in report["targets"] for v in t["variants"]}
    return run.returncode, variants, run.stdout + run.stderr


def kept(variant: dict[str, Any]) -> float:
    found: float = next(g["observed"] for g in variant["gates"] if g["gate"] == "accuracy")
    return found


def random(*shape: int, scale: float = 0.3) -> Any:
    return (np.random.default_rng(len(shape) + sum(shape)).standard_normal(shape) * scale).astype(np.float32)


def test_a_bias_far_above_its_weights_is_quantized_right(tmp_path: Path) -> None:
    """At the scale of input times weight, 32-bit integers do not hold it."""
    kernel = random(10, 3, 4, 4)
    kernel[::2] *= 1e-9
    bias = np.where(np.arange(10) % 2 == 0, 0.8, 0).astype(np.float32)
    nodes = [
        node("Conv", ["x", "k", "b"], ["c"]),
        node("GlobalAveragePool", ["c"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("MatMul", ["f", "w"], ["logits"]),
    ]
    techniques = {"onnx_runtime": ["int8_static"]}
    file = write_case(tmp_path, nodes, [3, 4, 4], {"k": kernel, "b": bias, "w": random(10, 6, scale=1.0)}, techniques)
    code, variants, _ = judged(file)
    assert code == 0
    assert kept(variants["onnx_runtime/int8_static"]) > 0.99


def upsampled(folder: Path, mode: str) -> Path:
    nodes = [
        node("Conv", ["x", "k"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Upsample", ["c", "scales"], ["u"], mode=mode),
        node("Flatten", ["u"], ["f"]),
        node("MatMul", ["f", "w"], ["logits"]),
    ]
    scales = np.array([1, 1, 2, 2], np.float32)
    weights = {"k": random(8, 1, 3, 3, scale=1.0), "scales": scales, "w": random(8 * 64, 10, scale=0.2)}
    return write_case(folder, nodes, [1, 8, 8], weights, {"onnx_runtime": [*INT8, "fp16"]}, opset=9, ir=4)


@pytest.mark.thorough
def test_operators_of_opset_9_are_converted_where_they_keep_their_meaning(tmp_path: Path) -> None:
    code, variants, said = judged(upsampled(tmp_path, "nearest"))
    assert code == 0
    assert "int8_dynamic, int8_static: its operators are converted from opset 9 to 13 first, and held against the" in said
    assert {v["verdict"] for v in variants.values()} == {"pass"}
    assert kept(variants["onnx_runtime/int8_static"]) > 0.99


def test_operators_of_opset_9_that_change_their_meaning_are_refused_in_words(tmp_path: Path) -> None:
    _, variants, said = judged(upsampled(tmp_path, "linear"))
    for technique in INT8:
        variant = variants[f"onnx_runtime/{technique}"]
        assert variant["verdict"] == "error"
        assert "operators of opset 9: export with 13 or newer" in variant["reason"]
    assert variants["onnx_runtime/fp16"]["verdict"] == "pass"
    assert "adapter" not in said and "Assertion" not in said


@pytest.mark.thorough
def test_matrices_inside_a_models_own_functions_are_quantized(tmp_path: Path) -> None:
    body = [node("MatMul", ["a", "w"], ["t"]), node("Add", ["t", "b"], ["o"])]
    linear = helper.make_function("my.layers", "Linear", ["a", "w", "b"], ["o"], body, [helper.make_opsetid("", 17)])
    nodes = [
        node("Linear", ["x", "w1", "b1"], ["h"], domain="my.layers", name="l1"),
        node("Relu", ["h"], ["r"]),
        node("Linear", ["r", "w2", "b2"], ["logits"], domain="my.layers", name="l2"),
    ]
    weights = {"w1": random(32, 48), "b1": np.zeros(48, np.float32), "w2": random(48, 10), "b2": np.zeros(10, np.float32)}
    more = {"functions": [linear], "opsets": [helper.make_opsetid("my.layers", 1)]}
    techniques = {"onnx_runtime": INT8, "openvino": ["int8_static"]}
    code, variants, _ = judged(write_case(tmp_path, nodes, [32], weights, techniques, **more))
    assert code == 0
    assert len(variants) == 3
    assert {v["verdict"] for v in variants.values()} == {"pass"}


COPIES = ("bytes", "beside_a_note", "renamed", "stamped", "data_apart", "constants_as_nodes", "in_a_function", "default_written")


def test_a_technique_that_changed_nothing_says_so_and_does_not_pass(tmp_path: Path) -> None:
    """By whatever the copy differs from the original: names, notes, stamps, where its data lies."""
    plugins = install_framework(tmp_path / "site", "copies")
    code, variants, _ = judged(write_project(tmp_path, ", ".join([*COPIES, "changed"]), "copies", timed=False), plugins)
    assert code == 0  # the one that changed something passes
    assert variants["copies/changed"]["verdict"] == "pass"
    for technique in COPIES:
        variant = variants[f"copies/{technique}"]
        assert variant["verdict"] == "error"
        assert variant["reason"].startswith("it changed nothing: operators and weights are the original's")


@pytest.mark.parametrize(("framework", "technique"), [("onnx_runtime", "graph_optimized"), ("copies", "in_a_function")])
def test_alone_it_is_not_measured(tmp_path: Path, framework: str, technique: str) -> None:
    """ONNX Runtime has nothing to fold or to fuse in one matrix."""
    plugins = install_framework(tmp_path / "site", "copies")
    code, variants, said = judged(write_project(tmp_path, technique, framework, timed=False), plugins)
    assert code == 4
    assert [v["verdict"] for v in variants.values()] == ["error"]
    assert "it changed nothing" in said
