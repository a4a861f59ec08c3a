"""Every runtime's baseline is held against the model's reference, through the front door."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from kit import parted
from kit.support import install_framework

PIPELINE = """\
edge_ai_pipeline:
  model: {{path: model.onnx, task: {task}}}
  dataset: {{path: eval.npz}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [{frameworks}], techniques: {{{techniques}}}}}
  gates: {{speedup: disabled, memory: disabled, stability: disabled, require: all}}
  measure: {{max_rounds: 2, blocks: 1, block_ms: 5}}
"""
BOTH = {"onnx_runtime": "[fp16]", "openvino": "[int8_weight_only, fp16]"}


def project(folder: Path, make: Callable[[Path], Path], techniques: dict[str, str], task: str) -> Path:
    make(folder)
    file = folder / "pipeline.yaml"
    told = ", ".join(f"{name}: {listed}" for name, listed in techniques.items())
    file.write_text(PIPELINE.format(task=task, frameworks=", ".join(techniques), techniques=told))
    return file


def legs(folder: Path) -> dict[str, Any]:
    report = json.loads((folder / "report/report.json").read_text())
    return {leg["framework"]: leg for leg in report["targets"][0]["legs"]} | {"report": report}


def openvino_answers(folder: Path) -> Any:
    """What OpenVINO says of the model, asked without gatekeeper."""
    import openvino

    data = dict(np.load(folder / "eval.npz"))
    labels = data.pop("y")
    compiled = openvino.Core().compile_model(folder / "model.onnx", "CPU")
    return compiled(data)[0], labels


def test_a_runtime_that_answers_otherwise_is_no_baseline(gatekeeper: Any, tmp_path: Path) -> None:
    file = project(tmp_path, parted.int64_overflow, BOTH, "tabular_classification")
    scores, labels = openvino_answers(tmp_path)
    right = float(np.mean(scores.argmax(axis=1) == labels))  # processors differ in a row or two
    assert 0.4 < right < 0.5, "the fault has arrived"
    run = gatekeeper("run", file, "--output", tmp_path / "report")
    assert run.returncode == 4 and "Traceback" not in run.stderr, run.stdout + run.stderr
    found = legs(tmp_path)
    error = found["openvino"]["error"]
    said = re.search(r"openvino answers ([\d.]+)% of the evaluation set as onnx_runtime does \(accuracy ([\d.]+)% where", error)
    assert said and [float(each) for each in said.groups()] == pytest.approx([100 * right] * 2, abs=0.5), error
    assert "where onnx_runtime has 100.0%); its baseline is not this model" in error
    assert "The first node where they part is imul (Mul)" in error
    assert found["onnx_runtime"]["error"] == ""
    [target] = found["report"]["targets"]
    assert found["report"]["verdict"] == target["verdict"] == "error"
    verdicts = {v["id"]: v["verdict"] for v in target["variants"]}
    assert verdicts == {
        "here/onnx_runtime/fp16": "pass",
        "here/openvino/int8_weight_only": "error",
        "here/openvino/fp16": "error",
    }
    assert all(g["verdict"] in ("error", "skip") for v in target["variants"][1:] for g in v["gates"])
    assert "accuracy 1 on 800 examples" in found["report"]["stages"][0]["reason"], "of the model, whichever leg runs it"


def test_the_model_is_judged_by_its_reference_where_no_leg_is_it(gatekeeper: Any, tmp_path: Path) -> None:
    file = project(tmp_path, parted.regression, {"openvino": "[fp16]"}, "regression")
    run = gatekeeper("run", file, "--output", tmp_path / "report")
    assert run.returncode == 4, run.stdout + run.stderr
    found = legs(tmp_path)
    assert "r2 1 on 400 examples" in found["report"]["stages"][0]["reason"]
    assert "the output price of openvino is away from onnx_runtime's by 0.6" in found["openvino"]["error"]
    assert "in 394 of 400 examples" in found["openvino"]["error"]


@pytest.fixture(scope="module")
def liar(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return install_framework(tmp_path_factory.mktemp("plugins"), "liar")


def two_outputs(folder: Path) -> Path:
    """Scores of classes, and numbers beside them."""
    nodes = [
        parted.node("MatMul", ["x", "a"], ["h"]),
        parted.node("Relu", ["h"], ["r"]),
        parted.node("MatMul", ["r", "b"], ["logits"]),
        parted.node("MatMul", ["x", "c"], ["place"]),
    ]
    weights = {"a": parted.normal(32, 64, seed=1), "b": parted.normal(64, 10, seed=2), "c": parted.normal(32, 3, seed=3)}
    inputs = {"x": parted.normal(parted.EXAMPLES, 32)}
    return parted.write(folder, nodes, inputs, {"logits": "f", "place": "f"}, weights, lambda scores: scores.argmax(axis=1))


LIES = {
    "scaled": "the output logits of liar is away from onnx_runtime's by ",
    "other": "the output place of liar is away from onnx_runtime's by ",
    "rare": "of the evaluation set as onnx_runtime does (accuracy ",
    "nan": "the output place of liar is away from onnx_runtime's by beyond measure",
    "shape": "the output place of liar has shape (2,) an example, and (3,) in the reference",
}
QUIETER = ("scaled", "nan", "shape")


@pytest.mark.parametrize("lie", ["other", "rare", *(pytest.param(lie, marks=pytest.mark.thorough) for lie in QUIETER)])
def test_a_framework_that_lies_of_the_original_is_found_out(
    lie: str, liar: dict[str, str], gatekeeper: Any, tmp_path: Path
) -> None:
    file = project(tmp_path, two_outputs, {"liar": "[fp16]"}, "tabular_classification")
    (tmp_path / "lie").write_text(lie)
    run = gatekeeper("run", file, "--output", tmp_path / "report", "--cache-dir", tmp_path / "cache", env=liar)
    assert run.returncode == 4 and "Traceback" not in run.stderr, run.stdout + run.stderr
    error = legs(tmp_path)["liar"]["error"]
    assert LIES[lie] in error and "its baseline is not this model" in error
    x = np.load(tmp_path / "eval.npz")["x"]
    loud = int((np.abs(x[:, 0]) > 1.5).sum())
    assert 0 < loud < 80
    if lie == "nan":
        assert f"in {loud} of 400 examples" in error
    if lie == "rare":
        assert f"liar answers {1 - loud / 400:.1%} of" in error or "liar answers 8" in error


ROUNDED = [
    pytest.param("last_bits", "at most ", marks=pytest.mark.thorough),
    ("bfloat16", "arithmetic in 16 bits"),
    pytest.param("", "exactly", marks=pytest.mark.thorough),
]


@pytest.mark.parametrize(("how", "said"), ROUNDED)
def test_rounding_is_no_lie(how: str, said: str, liar: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    file = project(tmp_path, two_outputs, {"liar": "[fp16]"}, "tabular_classification")
    if how:
        (tmp_path / "lie").write_text(how)
    run = gatekeeper("run", file, "--output", tmp_path / "report", "--cache-dir", tmp_path / "cache", env=liar)
    assert run.returncode == 0, run.stdout + run.stderr
    assert said in legs(tmp_path)["liar"]["conversion"]


def test_the_reference_answers_once_for_every_leg(liar: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    techniques = {"onnx_runtime": "[fp16]", "liar": "[fp16]"}
    file = project(tmp_path, two_outputs, techniques, "tabular_classification")
    run = gatekeeper("run", file, "--output", tmp_path / "report", "--cache-dir", tmp_path / "cache", env=liar)
    assert run.returncode == 0, run.stdout + run.stderr
    kept = list((tmp_path / "cache/predictions").glob("*/predictions.npy"))
    assert len(kept) == 4, "two originals and two variants"
    truth = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    expected = truth.run(["logits"], {"x": np.load(tmp_path / "eval.npz")["x"]})[0]
    assert sum(np.allclose(np.load(file), expected, rtol=0, atol=1e-4) for file in kept) == 2


def test_what_cannot_be_held_against_anything_is_said(gatekeeper: Any, tmp_path: Path) -> None:
    import openvino

    parted.perceptron(tmp_path)
    openvino.save_model(openvino.convert_model(tmp_path / "model.onnx"), tmp_path / "model.xml", compress_to_fp16=False)
    file = project(tmp_path, lambda folder: folder, {"openvino": "[fp16]"}, "tabular_classification")
    file.write_text(file.read_text().replace("model.onnx", "model.xml"))
    run = gatekeeper("run", file, "--output", tmp_path / "report")
    assert run.returncode == 0, run.stdout + run.stderr
    said = "its baseline is held against no reference: nothing but openvino opens openvino_ir models here"
    assert said in legs(tmp_path)["openvino"]["notes"]
    assert said in " ".join(run.stdout.split())
