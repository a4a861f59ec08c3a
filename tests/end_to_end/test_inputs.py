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


def stateful(folder: Path, open_: bool = True) -> Any:
    """One step of a recurrent model: its state goes in as [1, examples, 16] and comes out again."""
    nodes = [
        node("Squeeze", ["state", "zero"], ["s"]),
        node("MatMul", ["s", "u"], ["su"]),
        node("MatMul", ["x", "w"], ["xw"]),
        node("Add", ["su", "xw"], ["sum"]),
        node("Tanh", ["sum"], ["h"]),
        node("Unsqueeze", ["h", "zero"], ["stateN"]),
        node("MatMul", ["h", "o"], ["logits"]),
    ]
    weights = {"u": weight(16, 16, scale=0.4), "w": weight(8, 16, scale=0.6), "o": weight(16, 4), "zero": np.array([0])}
    n: Any = "n" if open_ else 1
    inputs = [value("x", FLOAT, [n, 8]), value("state", FLOAT, [1, n, 16])]
    save(folder / "model.onnx", nodes, inputs, [value("logits", FLOAT, [n, 4]), value("stateN", FLOAT, [1, n, 16])], **weights)
    return weight(650, 12, 8)


def stepped(path: Path, x: Any, start: float = 0) -> Any:
    """A class for each step of each example, asked one after the other by a bare loop."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = []
    for row in x:
        state = np.full((1, 1, 16), start, np.float32)
        for frame in row:
            logits, state = session.run(["logits", "stateN"], {"x": frame[None], "state": state})
            found.append(logits[0].argmax())
    return np.array(found).reshape(len(x), -1)


def asked(path: Path, x: Any, more: dict[str, Any], axis: int) -> Any:
    """A class for each example, asked one by one."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds = (np.ascontiguousarray(np.moveaxis(row[None], 0, axis)) for row in x)
    return np.array([session.run(["logits"], {"x": feed, **more})[0].argmax() for feed in feeds])


def pipeline(folder: Path, frameworks: str, more: str = "", dataset: str = "") -> Path:
    techniques = {"onnx_runtime": "fp16, int8_static", "openvino": "int8_static"}
    listed = ", ".join(f"{name}: [{techniques[name]}]" for name in frameworks.split(", "))
    task = "token_classification" if "carry" in more else "tabular_classification"
    file = folder / "p.yaml"
    file.write_text(f"""\
edge_ai_pipeline:
  stages: [model_validation, optimization, testing]
  model: {{path: model.onnx, task: {task}, output: logits}}
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
    # OpenVINO is given one in its own format, below.
    variants = ran(pipeline(tmp_path, "onnx_runtime, openvino" if each else "onnx_runtime"))
    assert len(variants) == 2 + each and all(variant["verdict"] == "pass" for variant in variants.values())
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


def test_a_value_that_a_model_in_openvinos_own_format_takes(tmp_path: Path) -> None:
    import openvino

    x, more = rated(tmp_path)
    y = asked(tmp_path / "model.onnx", x, more, 0)
    openvino.save_model(openvino.convert_model(tmp_path / "model.onnx"), tmp_path / "model.xml", compress_to_fp16=False)
    np.savez(tmp_path / "eval.npz", x=x[:600], y=y[:600], sr=more["sr"])
    file, text = pipeline(tmp_path, "openvino"), pipeline(tmp_path, "openvino").read_text()
    file.write_text(
        text.replace("model.onnx", "model.xml").replace(", calibration: calib.npz", "").replace("int8_static", "fp16")
    )
    [variant] = ran(file).values()
    assert variant["verdict"] == "pass" and variant["quality"]["value"] > 0.99


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


@pytest.mark.parametrize(("open_", "start"), [(True, 0), pytest.param(False, 2, marks=pytest.mark.thorough)])
def test_a_state_is_carried_along_each_example(open_: bool, start: int, tmp_path: Path) -> None:
    """In every framework, with steps to calibrate on that have come to states of their own."""
    x = stateful(tmp_path, open_)
    for name, part in (("eval", slice(600)), ("calib", slice(600, None))):
        np.savez(tmp_path / f"{name}.npz", x=x[part])
    more = f"  inputs: {{state: {{carry: stateN{f', constant: {start}' if start else ''}}}}}\n"
    file = pipeline(tmp_path, "onnx_runtime, openvino", more)
    # Eight bits cost a model that feeds on its own answers more than others: what is asked here is whether it is said rightly.
    gates = "gates: {accuracy: {retention: 0.8}, worst_class: {retention: 0.8}, "
    file.write_text(file.read_text().replace("gates: {", gates).replace("integration_tests: smoke", "integration_tests: off"))
    variants = ran(file)
    right = stepped(tmp_path / "model.onnx", x[:600], start)
    forgotten = np.stack([stepped(tmp_path / "model.onnx", x[:50, [i]], start)[:, 0] for i in range(12)], axis=1)
    assert (forgotten != right[:50]).mean() > 0.1, "the state matters"
    assert len(variants) == 3
    for variant in variants.values():
        assert variant["verdict"] == "pass"
        artifact = tmp_path / "report" / variant["artifact"]["path"]
        if artifact.suffix == ".onnx":
            kept = (stepped(artifact, x[:600], start) == right).mean()
            assert variant["quality"]["value"] == pytest.approx(kept, abs=1e-9)


def test_a_variant_that_loses_its_state_fails(tmp_path: Path) -> None:
    x = stateful(tmp_path)
    np.savez(tmp_path / "eval.npz", x=x)
    model = onnx.load(tmp_path / "model.onnx")
    u = next(each for each in model.graph.initializer if each.name == "u")
    u.CopyFrom(numpy_helper.from_array(np.zeros((16, 16), np.float32), "u"))
    onnx.save(model, tmp_path / "ours.onnx")
    kept = (stepped(tmp_path / "ours.onnx", x) == stepped(tmp_path / "model.onnx", x)).mean()
    assert kept < 0.9
    file = pipeline(tmp_path, "onnx_runtime", "  inputs: {state: {carry: stateN}}\n")
    text = file.read_text().replace(
        "techniques: {onnx_runtime: [fp16, int8_static]}", "variants: [{name: ours, path: ours.onnx}]"
    )
    file.write_text(text.replace("frameworks: [onnx_runtime]", "frameworks: []").replace(", calibration: calib.npz", ""))
    [variant] = ran(file, 1).values()
    assert variant["quality"]["value"] == pytest.approx(kept, abs=1e-9)


def test_what_is_not_clear_is_asked(tmp_path: Path, gatekeeper: Any) -> None:
    x, _ = time_first(tmp_path)
    np.savez(tmp_path / "eval.npz", x=x)
    np.savez(tmp_path / "calib.npz", x=x)
    done = gatekeeper("validate", pipeline(tmp_path, "onnx_runtime"))
    assert done.returncode == 2 and "do its examples lie along axis 1, 'n'? Say `inputs: {x: {batch_axis: 1}}`" in done.stderr


WRONG = {
    "{y: {constant: 1}}": "the model has no input 'y'",
    "{sr: {}}": "an input is a `constant`, its examples lie along a `batch_axis`, or it is a state to `carry`. Say one.",
    "{sr: {constant: 1, batch_axis: 0}}": "Say one.",
    "{x: {batch_axis: 2}}": "'x' has 2 axes, counted from 0",
    "{x: {batch_axis: -1}}": "batch_axis",
    "{sr: {constant: fast}}": "'fast' is text, and 'sr' takes int64. Write a number.",
    "{sr: {constant: 16000.5}}": "'sr' takes int64, whole numbers from -9223372036854775808 to 9223372036854775807, and this is",
    "{sr: {constant: 1.0e+30}}": "and this is 1e+30. Correct it.",
    "{sr: {constant: [1, 2]}}": "2 values, and 'sr' [] takes 1. Give one, or as many.",
}


@pytest.mark.parametrize("stated", WRONG)
def test_what_no_model_takes_is_told(stated: str, tmp_path: Path, gatekeeper: Any) -> None:
    x, _ = rated(tmp_path)
    np.savez(tmp_path / "eval.npz", x=x)
    np.savez(tmp_path / "calib.npz", x=x)
    done = gatekeeper("validate", pipeline(tmp_path, "onnx_runtime", f"  inputs: {stated}\n"))
    assert done.returncode == 2 and WRONG[stated] in done.stderr


@pytest.mark.parametrize(
    ("stated", "says"),
    [("{logit: {batch_axis: 1}}", "no output 'logit'; did you mean 'logits'?"), ("{logits: {batch_axis: 0}}", "batch_axis")],
)
def test_outputs_that_no_model_answers_so_are_told(stated: str, says: str, tmp_path: Path, gatekeeper: Any) -> None:
    x, _ = rated(tmp_path)
    np.savez(tmp_path / "eval.npz", x=x)
    np.savez(tmp_path / "calib.npz", x=x)
    done = gatekeeper("validate", pipeline(tmp_path, "onnx_runtime", f"  outputs: {stated}\n"))
    assert done.returncode == 2 and says in done.stderr


CARRIED = {
    "{h: {carry: stateN}}": "the model has no input 'h'",
    "{state: {carry: state_N}}": "the model has no output 'state_N'; did you mean 'stateN'?",
    "{state: {carry: logits}}": "'logits' is [n, 4] and 'state' is [1, n, 16]: it is not the state's next value",
    "{state: {carry: stateN}, x: {carry: stateN}}": "'stateN' is [1, n, 16] and 'x' is [n, 8]",
    "{state: {carry: stateN, batch_axis: 0}}": "only its examples' axis may be open",
    "{state: {carry: stateN, constant: [1, 2]}}": "a state begins with one number",
}


@pytest.mark.parametrize("stated", CARRIED)
def test_a_state_that_cannot_be_carried_is_told(stated: str, tmp_path: Path, gatekeeper: Any) -> None:
    np.savez(tmp_path / "eval.npz", x=stateful(tmp_path))
    np.savez(tmp_path / "calib.npz", x=np.zeros((10, 12, 8), np.float32))
    done = gatekeeper("validate", pipeline(tmp_path, "onnx_runtime", f"  inputs: {stated}\n"))
    assert done.returncode == 2 and CARRIED[stated] in done.stderr, done.stderr


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
