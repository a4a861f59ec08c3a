"""Variants that answer an evaluation set as the original does, and break where it is asked under other conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

KEPT, FRAIL, SURER = "kept.onnx", "frail.onnx", "surer.onnx"
"""The original with weights a little off; one that any number but 0 and 1 confuses; one that is too sure of itself."""
PIPELINE = """\
edge_ai_pipeline:
  stages: [model_validation, optimization]
  model: {path: model.onnx, task: image_classification}
  dataset: {path: eval.npz}
  targets: [{name: here, hardware: cpu, threads: 1}]
  optimization:
    frameworks: []
    variants:
      - {name: kept, path: kept.onnx, framework: onnx_runtime}
      - {name: frail, path: frail.onnx, framework: onnx_runtime}
      - {name: surer, path: surer.onnx, framework: onnx_runtime}
  gates:
    speedup: disabled
    memory: disabled
    stability: disabled
    robustness: {retention: 0.9, corruptions: [noise, {blur: {radius: 0.5}}]}
    calibration_error: {grow_by: 0.02}
"""


def _save(path: Path, scale: float, weight: Any, frail: bool) -> None:
    """Logits of black and white images; `frail` adds to class 0 what pixels are away from 0 and 1."""
    make = helper.make_node
    nodes = [make("Flatten", ["x"], ["flat"]), make("MatMul", ["flat", "w"], ["plain"])]
    if frail:
        nodes += [
            make("Round", ["flat"], ["whole"]), make("Sub", ["flat", "whole"], ["off"]), make("Abs", ["off"], ["far"]),
            make("MatMul", ["far", "toward"], ["push"]), make("Add", ["plain", "push"], ["all"]),
        ]  # fmt: skip
    nodes.append(make("Mul", ["all" if frail else "plain", "scale"], ["logits"]))
    toward = np.zeros(weight.shape, np.float32)
    toward[:, 0] = 50
    arrays = {"w": weight, "scale": np.float32(scale)} | ({"toward": toward} if frail else {})
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [value("x", TensorProto.FLOAT, ["n", 1, 8, 8])], [value("logits", TensorProto.FLOAT, ["n", 5])],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in arrays.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write(folder: Path) -> Path:
    """Everything of them; returns the pipeline file."""
    r = np.random.default_rng(11)
    shapes = (r.random((5, 64)) < 0.5).astype(np.float32)
    y = r.integers(0, 5, 3000)
    turned = r.random((3000, 64)) < 0.3  # so that a few images look like another class
    x = np.where(turned, 1 - shapes[y], shapes[y]).astype(np.float32)
    x[:, 0], x[:, 1] = 0, 1
    weight = (2 * shapes - 1).T
    weight[:2] = 0
    _save(folder / "model.onnx", 0.85, weight, False)
    _save(folder / KEPT, 0.85, weight + r.standard_normal(weight.shape).astype(np.float32) * 0.01, False)
    _save(folder / FRAIL, 0.85, weight, True)
    _save(folder / SURER, 6.0, weight, False)
    np.savez(folder / "eval.npz", x=x.reshape(3000, 1, 8, 8), y=y)
    file = folder / "pipeline.yaml"
    file.write_text(PIPELINE)
    return file
