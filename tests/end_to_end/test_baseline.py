"""Models measured against an earlier one, or against none, through the front door."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from kit.command import call
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
LEAST = {"least_accuracy", "package_size"}


def save(path: Path, seed: int = 0, lost: int = 0) -> None:
    """A classifier of four classes, of which the last `lost` are never answered."""
    r = np.random.default_rng(0)
    weights = r.standard_normal((16, 4)).astype(np.float32)
    bias = np.zeros(4, np.float32)
    if lost:
        bias[-lost:] = -100
    weights += np.random.default_rng(seed).standard_normal((16, 4)).astype(np.float32) * 0.001
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["logits"])]
    ends = [[helper.make_tensor_value_info(name, FLOAT, ["n", width])] for name, width in (("x", 16), ("logits", 4))]
    graph = helper.make_graph(nodes, "g", *ends, [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def answers(path: Path, x: Any) -> Any:
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0].argmax(axis=1)


def git(folder: Path, *words: str) -> None:
    about = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *about, *words], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a model, labels that it gets right nine times of ten, and a pipeline file."""
    folder = tmp_path / "project"
    folder.mkdir()
    save(folder / "model.onnx")
    x = np.random.default_rng(1).standard_normal((600, 16)).astype(np.float32)
    y = answers(folder / "model.onnx", x)
    y[::10] = (y[::10] + 1) % 4
    np.savez(folder / "eval.npz", x=x, y=y)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def written(folder: Path, baseline: str, gates: str, frameworks: str = "[]", name: str = "p.yaml") -> Path:
    file = folder / name
    file.write_text(f"""\
edge_ai_pipeline:
  stages: [model_validation, optimization]
  model: {{path: model.onnx, task: tabular_classification}}
  baseline: {baseline}
  dataset: {{path: eval.npz}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: {frameworks}}}
  gates: {{stability: disabled, {gates}}}
  measure: {{max_rounds: 5, blocks: 1, block_ms: 5}}
""")
    return file


def ran(file: Path, code: int, *more: str) -> dict[str, Any]:
    done = call(("run", file, "--output", file.parent / "report", *more), file.parent, {})
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads((file.parent / "report/report.json").read_text())


def variants(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["id"].rpartition("/")[2]: each for each in report["targets"][0]["variants"]}


def gates(variant: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["gate"]: each for each in variant["gates"]}


OFF = "speedup: disabled, memory: disabled"


@pytest.mark.parametrize("by", ["git", "checkout"])
def test_a_changed_model_is_held_against_the_branch_it_changes(by: str, project: Path) -> None:
    x = np.load(project / "eval.npz")["x"]
    before = answers(project / "model.onnx", x)
    base = project.parent / "base"
    subprocess.run(["git", "clone", "-q", str(project), str(base)], check=True)
    save(project / "model.onnx", lost=1)
    kept = (answers(project / "model.onnx", x) == before).mean()
    assert kept < 0.9
    ref, more = ("main", ()) if by == "git" else ("base", ("--base", str(base)))
    report = ran(written(project, f"{{git: {ref}}}", OFF), 1, *more)
    assert ("main at" in report["model"]["path"]) == (by == "git")
    [(name, variant)] = variants(report).items()
    assert name == "proposed" and variant["verdict"] == "fail"
    right = np.load(project / "eval.npz")["y"]
    assert variant["quality"]["value"] == pytest.approx((answers(project / "model.onnx", x) == right).mean())
    assert "class 3" in gates(variant)["worst_class"]["reason"]


def test_a_model_that_keeps_its_answers_passes_and_so_does_one_that_is_not_changed(project: Path) -> None:
    file = written(project, "{git: main}", OFF)
    assert variants(ran(file, 0))["proposed"]["verdict"] == "pass"
    before = json.loads((project / "report/report.json").read_text())["model"]["sha256"]
    save(project / "model.onnx", seed=3)
    report = ran(file, 0)
    assert report["model"]["sha256"] == before != variants(report)["proposed"]["artifact"]["sha256"]


def test_what_is_slower_than_before_fails(project: Path) -> None:
    """With the same answers, out of much more work."""
    model = onnx.load(project / "model.onnx")
    wide = np.random.default_rng(2).standard_normal((256, 256)).astype(np.float32)
    model.graph.initializer.extend([numpy_helper.from_array(wide, "wide"), numpy_helper.from_array(np.float32(0), "zero")])
    more = [
        helper.make_node("ReduceMean", ["logits0"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["wide", "mean"], ["a"]),
        helper.make_node("MatMul", ["a", "a"], ["much"]),
        helper.make_node("ReduceMax", ["much"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "zero"], ["nothing"]),
        helper.make_node("Add", ["logits0", "nothing"], ["logits"]),
    ]
    model.graph.node[0].output[0] = "logits0"
    model.graph.node.extend(more)
    onnx.save(model, project / "model.onnx")
    report = ran(written(project, "{git: main}", "memory: disabled, speedup: {min: 0.9}"), 1)
    found = gates(variants(report)["proposed"])
    assert found["accuracy"]["verdict"] == "pass" and found["speedup"]["verdict"] == "fail"
    assert found["speedup"]["upper"] < 0.9


@pytest.mark.parametrize(("least", "code"), [(0.85, 0), (0.95, 1), (0.9, 3)])
def test_a_first_model_is_judged_by_what_it_must_reach(least: float, code: int, project: Path) -> None:
    report = ran(written(project, "none", f"accuracy: {{min: {least}}}, package_size: {{max: 1MB}}"), code)
    [variant] = variants(report).values()
    found = gates(variant)
    assert found["least_accuracy"]["observed"] == pytest.approx(0.9)
    assert found["least_accuracy"]["verdict"] == {0: "pass", 1: "fail", 3: "inconclusive"}[code]
    assert not {"speedup", "memory"} & set(found)
    assert report["targets"][0]["legs"][0]["rounds"] == 0


def test_times_and_memory_of_a_first_model_have_limits_of_their_own(project: Path) -> None:
    def limits(ms: float) -> str:
        return f"accuracy: {{min: 0.8}}, p50_ms: {{max: {ms}}}, peak_mb: {{max: 500}}"

    found = gates(variants(ran(written(project, "none", limits(1000)), 0))["proposed"])
    assert {name: each["verdict"] for name, each in found.items() if name in ("p50_ms", "peak_mb")} == {
        "p50_ms": "pass",
        "peak_mb": "pass",
    }
    assert found["p50_ms"]["unit"] == "ms" and 0 < found["p50_ms"]["observed"] < 10
    failing = variants(ran(written(project, "none", limits(1e-5)), 1))["proposed"]
    assert gates(failing)["p50_ms"]["verdict"] == "fail"


def merged(folder: Path, code: int) -> str:
    done = call(("report", folder / "report"), folder, {})
    assert done.returncode == code, done.stdout + done.stderr
    return str(done.stdout)


@pytest.mark.parametrize("op", ["Abs", "Log", "Infinite"])
def test_another_output_of_a_first_model_that_says_nothing_fails(op: str, project: Path) -> None:
    """Nothing else can be said of it without a baseline, and that it is not judged is said."""
    model = onnx.load(project / "model.onnx")
    if op == "Infinite":
        model.graph.initializer.append(numpy_helper.from_array(np.float32(np.inf), "inf"))
    nodes = {"Infinite": [helper.make_node("Abs", ["logits"], ["size"]), helper.make_node("Mul", ["size", "inf"], ["also"])]}
    model.graph.node.extend(nodes.get(op, [helper.make_node(op, ["logits"], ["also"])]))
    model.graph.output.append(helper.make_tensor_value_info("also", FLOAT, ["n", 4]))
    onnx.save(model, project / "model.onnx")
    x = np.load(project / "eval.npz")["x"]
    also = ort.InferenceSession(str(project / "model.onnx")).run(["also"], {"x": x})[0]
    rows = int((np.isnan(also).any(axis=1) | np.isinf(also).all(axis=1)).sum())
    assert (rows == 0) == (op == "Abs")
    report = ran(written(project, "none", f"accuracy: {{min: 0.8}}, {OFF}"), int(rows > 0))
    found = gates(variants(report)["proposed"])["outputs"]
    said = f"also: it holds NaN, or no finite value, on {rows} of 600 examples"
    said = said if rows else "not judged: also (there is no baseline to hold it against)"
    assert found["verdict"] == ("fail" if rows else "skip") and said in found["reason"]
    assert ("output also" in report["targets"][0]["legs"][0]["basis"]["not_judged"]) == (rows == 0)
    assert said.partition(":")[0] in merged(project, int(rows > 0))


@pytest.mark.parametrize("labelled", [15, 30])
def test_a_class_that_a_first_model_never_finds_fails_it_where_there_are_examples_enough(labelled: int, project: Path) -> None:
    save(project / "model.onnx", lost=1)
    x = np.random.default_rng(1).standard_normal((600, 16)).astype(np.float32)
    y = answers(project / "model.onnx", x)
    y[:labelled] = 3
    np.savez(project / "eval.npz", x=x, y=y)
    report = ran(written(project, "none", f"accuracy: {{min: 0.8}}, {OFF}"), int(labelled >= 20))
    found = gates(variants(report)["proposed"])["worst_class"]
    if labelled >= 20:
        assert (found["verdict"], found["reason"]) == ("fail", "class 3: none of 30 examples is found")
    else:
        assert found["verdict"] == "pass" and "no baseline whose classes could be kept" in found["reason"]
    merged(project, int(labelled >= 20))


WRONG = {
    ("{git: main}", "accuracy: {retention: 0.9}", "[]"): "say what it may cost: `speedup: {min: 0.9}`, or `speedup: disabled`",
    ("{git: main}", OFF, "[onnx_runtime]"): "what onnx_runtime would make is measured against the model it is made from",
    ("none", OFF, "[]"): "Say what it must reach: `accuracy: {min: 0.9}`, or `accuracy: disabled`, under `gates`",
    ("none", "accuracy: {min: 0.8}, speedup: {min: 2}", "[]"): "Say what the model must reach by itself, `p50_ms: {max: ...}`",
    ("none", "accuracy: {min: 0.8}, memory: {reduction: 0.5}", "[]"): "`peak_mb: {max: ...}`, or remove this",
    ("{}", OFF, "[]"): "git",
    ("nothing", OFF, "[]"): "none",
}


@pytest.mark.parametrize("stated", WRONG)
def test_what_would_be_measured_against_nothing_is_told(stated: tuple[str, str, str], project: Path, gatekeeper: Any) -> None:
    done = gatekeeper("validate", written(project, *stated))
    assert done.returncode == 2 and WRONG[stated] in done.stderr, done.stderr


def test_a_branch_without_the_model_and_one_that_is_not_there(project: Path) -> None:
    git(project, "checkout", "-q", "--orphan", "empty")
    git(project, "rm", "-q", "--cached", "model.onnx")
    git(project, "commit", "-qm", "without")
    for ref, said in (
        ("empty", "has no model.onnx"),
        ("nowhere", "'nowhere' is not in this clone, which has no remote"),
        ("base", "Name one"),
    ):
        done = call(("run", written(project, f"{{git: {ref}}}", OFF), "--output", project / "report"), project, {})
        assert done.returncode == 2 and said in done.stderr, done.stderr


def test_outside_of_a_repository_that_is_said(project: Path) -> None:
    shutil.rmtree(project / ".git")
    done = call(("run", written(project, "{git: base}", OFF), "--output", project / "report"), project, {})
    assert done.returncode == 2 and "not in a git repository" in done.stderr, done.stderr


def test_a_change_cannot_choose_another_baseline(project: Path) -> None:
    """Held to a policy that measures against the model itself, a file that measures against nothing is an error."""
    policy = written(project, "none", "accuracy: {min: 0.8}", name="policy.yaml")
    policy.write_text(policy.read_text().replace("  baseline: none\n", "").replace(", accuracy: {min: 0.8}", ""))
    file = written(project, "none", f"accuracy: {{min: 0.8}}, {OFF}")
    done = call(("run", file, "--policy", policy, "--output", project / "report"), project, {})
    assert done.returncode != 0 and "the baseline (the model itself) of the policy is missing" in done.stdout, done.stdout
