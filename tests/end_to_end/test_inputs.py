"""Models whose inputs are not all arrays of examples, through the front door, and by a bare loop beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from kit.command import call
from onnx import TensorProto, helper, numpy_helper

R = np.random.default_rng(7)
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
node, value = helper.make_node, helper.make_tensor_value_info


def save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], **weights: Any) -> None:
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def weight(*shape: int, scale: float = 1.0) -> Any:
    return (R.standard_normal(shape) * scale).astype(np.float32)


def rated(folder: Path) -> Any:
    """A rate beside the examples decides what they are multiplied by, as in a model for voice activity."""
    branches = {
        name: helper.make_graph([node("Mul", ["x", k], [name])], name, [], [value(name, FLOAT, ["n", 64])])
        for name, k in (("then_branch", "one"), ("else_branch", "minus"))
    }
    nodes = [
        node("Equal", ["sr", "rate"], ["is"]),
        node("If", ["is"], ["z"], **branches),
        node("MatMul", ["z", "w1"], ["a"]),
        node("Relu", ["a"], ["r"]),
        node("MatMul", ["r", "w2"], ["logits"]),
    ]
    constants = {"rate": np.int64(16000), "one": np.float32(1), "minus": np.float32(-1)}
    inputs, outputs = [value("x", FLOAT, ["n", 64]), value("sr", INT, [])], [value("logits", FLOAT, ["n", 2])]
    save(folder / "model.onnx", nodes, inputs, outputs, w1=weight(64, 32, scale=0.3), w2=weight(32, 2), **constants)
    return weight(700, 64), {"sr": np.array(16000)}


def time_first(folder: Path) -> Any:
    """A recurrent model that takes [steps, examples, features] and also answers its states so."""
    nodes = [
        node("GRU", ["x", "W", "R"], ["all", "last"], hidden_size=16),
        node("Squeeze", ["all", "one"], ["states"]),
        node("Squeeze", ["last", "zero"], ["h"]),
        node("MatMul", ["h", "o"], ["logits"]),
    ]
    axes = {"zero": np.array([0]), "one": np.array([1])}
    outputs = [value("logits", FLOAT, ["n", 4]), value("states", FLOAT, [12, "n", 16])]
    gru = {"W": weight(1, 48, 8, scale=0.5), "R": weight(1, 48, 16, scale=0.4), "o": weight(16, 4)}
    save(folder / "model.onnx", nodes, [value("x", FLOAT, [12, "n", 8])], outputs, **gru, **axes)
    return weight(700, 12, 8), {}


def asked(path: Path, x: Any, more: dict[str, Any], axis: int) -> Any:
    """A class for each example, asked one by one."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds = (np.ascontiguousarray(np.moveaxis(row[None], 0, axis)) for row in x)
    return np.array([session.run(["logits"], {"x": feed, **more})[0].argmax() for feed in feeds])


def pipeline(folder: Path, frameworks: str, more: str = "", dataset: str = "") -> Path:
    techniques = {"onnx_runtime": "fp16, int8_static", "openvino": "int8_static"}
    listed = ", ".join(f"{name}: [{techniques[name]}]" for name in frameworks.split(", "))
    file = folder / "p.yaml"
    file.write_text(f"""\
edge_ai_pipeline:
  stages: [model_validation, optimization, testing]
  model: {{path: model.onnx, task: tabular_classification, output: logits}}
  dataset: {{path: eval.npz, calibration: calib.npz{dataset}}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [{frameworks}], techniques: {{{listed}}}}}
  testing: {{unit_tests: basic, integration_tests: smoke}}
  gates: {{speedup: disabled, memory: disabled, stability: disabled, require: all}}
{more}""")
    return file


def ran(file: Path, code: int = 0) -> dict[str, Any]:
    done = call(("run", file, "--output", file.parent / "report"), file.parent, {})
    assert done.returncode == code, done.stdout + done.stderr
    [target] = json.loads((file.parent / "report/report.json").read_text())["targets"]
    return {each["id"].partition("/")[2]: each for each in target["variants"]}


def check(variants: dict[str, Any], folder: Path, x: Any, y: Any, more: dict[str, Any], axis: int) -> None:
    for name, variant in variants.items():
        artifact = folder / "report" / variant["artifact"]["path"]
        if artifact.suffix == ".onnx":
            right = (asked(artifact, x, more, axis) == y).mean()
            assert variant["quality"]["value"] == pytest.approx(right, abs=1e-9), name


@pytest.mark.parametrize("each", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_a_value_for_all_examples(each: bool, tmp_path: Path) -> None:
    """In the file once, or the same for each example."""
    x, more = rated(tmp_path)
    y = asked(tmp_path / "model.onnx", x, more, 0)
    assert (asked(tmp_path / "model.onnx", x[:50], {"sr": np.array(8000)}, 0) != y[:50]).mean() > 0.3, "the value matters"
    for name, part in (("eval", slice(600)), ("calib", slice(600, None))):
        value_ = np.full(len(x[part]), 16000) if each else np.int64(16000)
        np.savez(tmp_path / f"{name}.npz", x=x[part], sr=value_, **({"y": y[part]} if name == "eval" else {}))
    variants = ran(pipeline(tmp_path, "onnx_runtime, openvino"))
    assert len(variants) == 3 and all(each["verdict"] == "pass" for each in variants.values())
    check(variants, tmp_path, x[:600], y[:600], more, 0)


def test_a_value_that_the_pipeline_file_says(tmp_path: Path) -> None:
    x, _ = rated(tmp_path)
    slow = {"sr": np.array(8000)}
    y = asked(tmp_path / "model.onnx", x, slow, 0)
    np.savez(tmp_path / "eval.npz", x=x[:600], y=y[:600])
    np.savez(tmp_path / "calib.npz", x=x[600:])
    variants = ran(pipeline(tmp_path, "onnx_runtime", "  inputs: {sr: {constant: 8000}}\n"))
    assert all(each["verdict"] == "pass" for each in variants.values())
    check(variants, tmp_path, x[:600], y[:600], slow, 0)


@pytest.mark.parametrize("files_too", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_examples_on_the_second_axis(files_too: bool, tmp_path: Path) -> None:
    x, _ = time_first(tmp_path)
    y = asked(tmp_path / "model.onnx", x, {}, 1)
    for name, part in (("eval", slice(600)), ("calib", slice(600, None))):
        array = np.moveaxis(x[part], 0, 1) if files_too else x[part]
        np.savez(tmp_path / f"{name}.npz", x=array, **({"y": y[part]} if name == "eval" else {}))
    file = pipeline(tmp_path, "onnx_runtime", "  inputs: {x: {batch_axis: 1}}\n", ", axis: 1" if files_too else "")
    variants = ran(file)
    assert all(each["verdict"] == "pass" for each in variants.values())
    outputs = next(each for each in variants["onnx_runtime/int8_static"]["gates"] if each["gate"] == "outputs")
    assert outputs["verdict"] == "pass" and "states" in outputs["reason"]
    check(variants, tmp_path, x[:600], y[:600], {}, 1)


def test_what_is_not_clear_is_asked(tmp_path: Path, gatekeeper: Any) -> None:
    x, _ = time_first(tmp_path)
    np.savez(tmp_path / "eval.npz", x=x)
    np.savez(tmp_path / "calib.npz", x=x)
    done = gatekeeper("validate", pipeline(tmp_path, "onnx_runtime"))
    assert done.returncode == 2 and "do its examples lie along axis 1, 'n'? Say `inputs: {x: {batch_axis: 1}}`" in done.stderr


WRONG = {
    "{y: {constant: 1}}": "the model has no input 'y'",
    "{sr: {}}": "an input is a `constant`, or its examples lie along a `batch_axis`. Say one.",
    "{sr: {constant: 1, batch_axis: 0}}": "Say one.",
    "{x: {batch_axis: 2}}": "'x' has 2 axes, counted from 0",
    "{x: {batch_axis: -1}}": "batch_axis",
}


@pytest.mark.parametrize("stated", WRONG)
def test_what_no_model_takes_is_told(stated: str, tmp_path: Path, gatekeeper: Any) -> None:
    x, _ = rated(tmp_path)
    np.savez(tmp_path / "eval.npz", x=x)
    np.savez(tmp_path / "calib.npz", x=x)
    done = gatekeeper("validate", pipeline(tmp_path, "onnx_runtime", f"  inputs: {stated}\n"))
    assert done.returncode == 2 and WRONG[stated] in done.stderr


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (
            {},
            "the model's input 'sr' is one value for all examples, and none is here. Say it with `inputs: {sr: {constant: ...}}`",
        ),
        ({"sr": np.arange(600)}, "'sr' has 600 different values, and the model takes one for all examples"),
    ],
)
def test_a_value_that_nobody_tells(arrays: dict[str, Any], said: str, tmp_path: Path) -> None:
    x, _ = rated(tmp_path)
    np.savez(tmp_path / "eval.npz", x=x[:600], y=np.arange(600) % 2, **arrays)
    np.savez(tmp_path / "calib.npz", x=x[600:])
    file = pipeline(tmp_path, "onnx_runtime")
    done = call(("run", file, "--output", tmp_path / "report"), tmp_path, {})
    assert done.returncode == 4 and said in " ".join(done.stdout.split()), done.stdout + done.stderr
