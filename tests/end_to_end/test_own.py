"""Variants that the user has optimized, judged through the front door, and by a bare loop beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import openvino as ov
import pytest
from kit.command import call
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

R = np.random.default_rng(7)
ONE, OTHER = (R.standard_normal((64, n)).astype(np.float32) for n in (10, 4))
GATES = "{speedup: disabled, memory: disabled, stability: disabled}"


def save(
    path: Path, inputs: tuple[str, int] = ("x", TensorProto.FLOAT), outputs: tuple[str, ...] = ("logits", "size"), cut: Any = 1
) -> Path:
    """Classes and sizes from 64 numbers; `cut` spoils the weights of the classes."""
    name, kind = inputs
    nodes = [] if kind == TensorProto.FLOAT else [helper.make_node("Cast", [name], ["f"], to=TensorProto.FLOAT)]
    read = "f" if nodes else name
    nodes += [helper.make_node("MatMul", [read, "one"], [outputs[0]]), helper.make_node("MatMul", [read, "other"], [outputs[1]])]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", k]) for n, k in zip(outputs, (10, 4), strict=True)]
    weights = [numpy_helper.from_array(ONE * np.float32(cut), "one"), numpy_helper.from_array(OTHER, "other")]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(name, kind, ["n", 64])], values, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def swapped(source: Path, target: Path) -> None:
    model = onnx.load(source)
    outputs = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend(reversed(outputs))
    onnx.save(model, target)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("own")
    model = save(place / "model.onnx")
    x = R.standard_normal((600, 64)).astype(np.float32)
    np.savez(place / "eval.npz", x=x, y=(x @ ONE).argmax(axis=1))
    quantize_dynamic(model, place / "int8.onnx", weight_type=QuantType.QInt8)
    swapped(place / "int8.onnx", place / "swapped.onnx")
    ov.save_model(ov.convert_model(model), place / "ir.xml")  # weights in half precision
    save(place / "half.onnx", ("pixels", TensorProto.FLOAT16))
    save(place / "bytes.onnx", ("x", TensorProto.UINT8))
    save(place / "names.onnx", outputs=("a", "b"))
    save(place / "broken.onnx", cut=np.where(np.arange(10) < 5, 1, 0))
    stamped = onnx.load(model)
    stamped.producer_name, stamped.graph.name = "somebody", "else"
    onnx.save(stamped, place / "stamped.onnx")
    return place


def listed(*variants: str) -> str:
    return "\n".join(f"      - {{{each}}}" for each in variants)


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    variants = listed(
        "name: ours, path: int8.onnx", "name: swapped, path: swapped.onnx", "name: half, path: half.onnx",
        "name: ir, path: ir.xml", "name: crossed, path: int8.onnx, framework: openvino",
        "name: bytes, path: bytes.onnx", "name: names, path: names.onnx", "name: broken, path: broken.onnx",
        "name: same, path: stamped.onnx",
    )  # fmt: skip
    (folder / "p.yaml").write_text(f"""\
edge_ai_pipeline:
  stages: [model_validation, optimization, testing]
  model: {{path: model.onnx, task: tabular_classification}}
  dataset: {{path: eval.npz}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization:
    frameworks: []
    variants:
{variants}
  testing: {{unit_tests: basic}}
  gates: {GATES}
  measure: {{max_rounds: 2, blocks: 1, block_ms: 5}}
""")
    done = call(("run", folder / "p.yaml", "--output", folder / "report"), folder, {})
    assert "Traceback" not in done.stderr
    [target] = json.loads((folder / "report/report.json").read_text())["targets"]
    return {each["technique"]: each for each in target["variants"]} | {"legs": target["legs"]}


def gate(variant: dict[str, Any], name: str = "accuracy") -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in variant["gates"] if each["gate"] == name)
    return found


def right(file: Path) -> float:
    """Share of right answers, by a bare loop."""
    data = np.load(file.parent / "eval.npz")
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    [given], at = session.get_inputs(), [each.name for each in session.get_outputs()].index("logits")
    x = data["x"].astype(np.float16 if given.type == "tensor(float16)" else np.float32)
    answers = [session.run(None, {given.name: row[None]})[at][0].argmax() for row in x]
    return float((np.array(answers) == data["y"]).mean())


@pytest.mark.parametrize(("name", "file"), [("ours", "int8"), ("swapped", "swapped"), ("half", "half"), ("crossed", "int8")])
def test_what_is_given_is_judged_as_a_bare_loop_has_it(name: str, file: str, report: dict[str, Any], folder: Path) -> None:
    variant = report[name]
    assert variant["verdict"] == "pass", variant["reason"]
    assert variant["quality"]["value"] == pytest.approx(right(folder / f"{file}.onnx"), abs=1e-9 if name != "crossed" else 0.02)
    assert variant["given"] == f"{file}.onnx" and gate(variant, "outputs")["verdict"] == "pass"
    assert gate(variant, "unit_tests")["verdict"] == "pass"
    kept = folder / "report" / variant["artifact"]["path"]
    assert kept.read_bytes() == (folder / f"{file}.onnx").read_bytes()


def test_a_model_of_openvino_is_opened_as_such(report: dict[str, Any], folder: Path) -> None:
    assert report["ir"]["verdict"] == "pass" and report["ir"]["id"] == "here/openvino/ir"
    assert report["ir"]["artifact"]["bytes"] == sum((folder / f"ir.{end}").stat().st_size for end in ("xml", "bin"))


def test_a_broken_one_fails(report: dict[str, Any], folder: Path) -> None:
    assert report["broken"]["verdict"] == "fail" and right(folder / "broken.onnx") < 0.7, "the fault has arrived"
    assert gate(report["broken"])["verdict"] == "fail"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bytes", "its input x is uint8, the model's float32"),
        ("names", "the variant answers a, b, the model logits, size. Call them alike"),
        ("same", "it is the model itself: operators and weights are the same"),
    ],
)
def test_what_is_no_variant_of_the_model_is_not_measured(name: str, said: str, report: dict[str, Any]) -> None:
    assert report[name]["verdict"] == "error" and said in report[name]["reason"]


PROBLEMS = {
    "name: ours, path: nowhere.onnx": "no such model: ",
    "name: ours, path: eval.npz": "unknown model format '.npz'",
    "name: ours twice, path: int8.onnx": "ours twice",
    "name: ours, path: int8.onnx, framework: llama_cpp": "llama.cpp runs language models in .gguf files",
    "name: ours, path: ir.xml, framework: onnx_runtime": "Name what runs ir.xml, or leave `framework` out",
    "name: Baseline, path: int8.onnx": "'Baseline' is what the original model is called",
    "name: int8_dynamic, path: int8.onnx": "'int8_dynamic' is what another variant of onnx_runtime is called",
}


@pytest.mark.parametrize("variant", PROBLEMS)
def test_a_wrong_one_is_told_with_its_place(variant: str, folder: Path, gatekeeper: Any, tmp_path: Path) -> None:
    file = folder / f"{abs(hash(variant))}.yaml"
    file.write_text(
        f"edge_ai_pipeline:\n  model: {{path: model.onnx}}\n  optimization:\n    variants:\n{listed(variant)}\n", encoding="utf-8"
    )
    done = gatekeeper("validate", file)
    assert done.returncode == 2 and PROBLEMS[variant] in done.stderr and f"{file}:5:" in done.stderr


def test_nothing_to_judge_is_told(folder: Path, gatekeeper: Any) -> None:
    file = folder / "nothing.yaml"
    file.write_text("edge_ai_pipeline:\n  model: {path: model.onnx}\n  optimization: {frameworks: []}\n")
    done = gatekeeper("validate", file)
    assert done.returncode == 2 and "there is nothing to judge. Name a framework, or a variant of your own" in done.stderr


def test_compare_needs_no_file(folder: Path, gatekeeper: Any, tmp_path: Path) -> None:
    words = (
        "--data",
        folder / "eval.npz",
        "--threads",
        "1",
        "--gate",
        "memory=off",
        "--gate",
        "speedup=off",
        "--gate",
        "stability=off",
    )
    done = gatekeeper("compare", folder / "model.onnx", folder / "int8.onnx", *words, "--output", tmp_path / "r")
    assert done.returncode == 0, done.stdout + done.stderr
    [target] = json.loads((tmp_path / "r/report.json").read_text())["targets"]
    assert [each["id"] for each in target["variants"]] == ["local/onnx_runtime/int8"]
    again = gatekeeper("validate", tmp_path / "r/edge_ai_pipeline.yaml")
    assert again.returncode == 0 and "your own int8" in again.stdout


def test_compare_says_where_the_rest_is_said(folder: Path, gatekeeper: Any, tmp_path: Path) -> None:
    words = ("--data", folder / "eval.npz", "--task", "transcription", "--gate", "memory=off", "--gate", "speedup=off")
    done = gatekeeper("compare", folder / "model.onnx", folder / "int8.onnx", *words, "--output", tmp_path / "r")
    assert done.returncode == 4 and f"can be said in a copy of {tmp_path / 'r/edge_ai_pipeline.yaml'}" in done.stderr
    assert "edit and keep a copy in this folder" in (tmp_path / "r/edge_ai_pipeline.yaml").read_text()


def test_compare_without_data_cannot_pass(folder: Path, gatekeeper: Any, tmp_path: Path) -> None:
    words = ("--gate", "memory=off", "--gate", "speedup=off", "--gate", "stability=off", "--output", tmp_path / "r")
    done = gatekeeper("compare", folder / "model.onnx", folder / "int8.onnx", *words)
    assert done.returncode == 4 and "this cannot pass" in done.stderr and "no evaluation set" in done.stdout


@pytest.mark.parametrize(
    ("limit", "said"),
    [("speed=2", "there is no gate 'speed'"), ("speedup=", "names no limit"), ("speedup=fast", "must be a number")],
)
def test_a_wrong_limit_is_told(limit: str, said: str, folder: Path, gatekeeper: Any, tmp_path: Path) -> None:
    done = gatekeeper("compare", folder / "model.onnx", folder / "int8.onnx", "--gate", limit, "--output", tmp_path / "r")
    assert done.returncode == 2 and said in done.stderr


def test_a_name_that_a_technique_has_is_no_technique(folder: Path, gatekeeper: Any, tmp_path: Path) -> None:
    """Nothing is said of work that nobody did: the file is old, and was not converted."""
    old, older = tmp_path / "old.onnx", tmp_path / "int8_dynamic.onnx"
    for path, cut in ((old, 1), (older, 1.001)):
        model = onnx.load(save(path, cut=cut))
        model.opset_import[0].version = 9
        onnx.save(model, path)
    words = ("--data", folder / "eval.npz", "--gate", "memory=off", "--gate", "speedup=off", "--gate", "stability=off")
    done = gatekeeper("compare", old, older, *words, "--output", tmp_path / "r")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "int8_dynamic" in done.stdout and "converted" not in done.stdout
