"""Variants of two frameworks held against one another: in one run, in the legs of a matrix, and with one that differs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.command import call
from kit.support import install_framework, write_project

from gatekeeper.records.answers import read_answers

Command = Callable[..., subprocess.CompletedProcess[str]]
SECTION = "validation: {cross_validation: enabled, performance_comparison: required}"


def report_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def project(folder: Path, optimization: str, **arrays: Any) -> Path:
    """The small project with another `optimization` section."""
    folder.mkdir(exist_ok=True)
    file = write_project(folder, "fp16", "onnx_runtime", **arrays)
    text = file.read_text().replace("max_rounds: 3, blocks: 2", "max_rounds: 2, blocks: 1")
    before = "optimization: {frameworks: [onnx_runtime], techniques: {onnx_runtime: [fp16]}}"
    assert before in text
    file.write_text(text.replace(before, f"optimization: {{{optimization}}}"))
    return file


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both frameworks in one run, each in a run of its own, and the two merged."""
    folder = tmp_path_factory.mktemp("runs")
    techniques = "frameworks: [onnx_runtime, openvino], techniques: {onnx_runtime: [fp16], openvino: [fp16]}"
    file = project(folder / "project", f"{techniques}, {SECTION}")
    told = (
        ("run", file, "--output", "whole"),
        ("run", file, "--framework", "onnx_runtime", "--output", "legs/ort"),
        ("run", file, "--framework", "openvino", "--output", "legs/ov"),
        ("report", "legs", "--output", "merged"),
    )
    for words in told:
        done = call(words, folder, {})
        (folder / f"{words[-1]}.log".replace("/", "_")).write_text(done.stdout + done.stderr)
        assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    return folder


def test_two_frameworks_of_one_model_agree(runs: Path) -> None:
    report = report_of(runs / "whole")
    found = report["targets"][0]["agreement"]
    assert found["names"] == [f"here/{f}/{m}" for f in ("onnx_runtime", "openvino") for m in ("baseline", "fp16")]
    assert (found["kind"], found["examples"]) == ("same class", 600)
    assert np.array(found["matrix"]).min() > 0.98
    assert found["matrix"][0][2] > 0.999, "FP32 in both"
    assert found["findings"] == []
    assert [s["verdict"] for s in report["stages"]] == ["pass", "pass"]


def test_the_merged_legs_know_what_the_whole_run_knows(runs: Path) -> None:
    whole, merged = report_of(runs / "whole"), report_of(runs / "merged")
    assert merged["targets"][0]["agreement"] == whole["targets"][0]["agreement"]
    assert merged["stages"] == whole["stages"]
    assert merged["stages"][1]["reason"] == "2 variants in 2 legs"


def test_a_leg_leaves_the_rest_to_the_merge(runs: Path) -> None:
    leg = report_of(runs / "legs/ort")
    assert leg["targets"][0]["agreement"]["names"] == ["here/onnx_runtime/baseline", "here/onnx_runtime/fp16"]
    assert "left to the merged report" in leg["stages"][1]["reason"]
    assert read_answers(runs / "legs/ov/answers.npz").header.names == ["here/openvino/baseline", "here/openvino/fp16"]


def test_the_reports_show_it(runs: Path) -> None:
    shown = (runs / "merged/report.md").read_text()
    assert "Agreement on here: share of 600 examples with the same class" in shown
    assert "◆" in shown
    assert "◆" in (runs / "merged.log").read_text()
    assert any(v["pareto"] for v in report_of(runs / "merged")["targets"][0]["variants"])


def test_answers_that_are_damaged_are_named_and_end_nothing(runs: Path, gatekeeper: Command, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(runs / "legs", tmp_path / "legs")
    (tmp_path / "legs/ov/answers.npz").write_bytes(b"PK\x03\x04 nothing")
    done = gatekeeper("report", "legs")
    assert "here: here/openvino: its answers.npz cannot be read" in done.stdout.replace("\n", " ")
    assert "Traceback" not in done.stderr
    for name in ("ort", "ov"):
        (tmp_path / f"legs/{name}/answers.npz").unlink()
    done = gatekeeper("report", "legs", "--format", "json")
    stage = json.loads(done.stdout)["stages"][1]
    assert (stage["verdict"], done.returncode in (1, 4)) == ("error", True)
    assert "cross_validation needs the answers of 2 models" in stage["reason"]
    assert "project/pipeline.yaml:" in stage["where"]


@pytest.mark.thorough
def test_a_second_run_takes_the_first_ones_answers_away(runs: Path, gatekeeper: Command, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/answers.npz").write_bytes(b"old")
    file = project(tmp_path / "p", "frameworks: [onnx_runtime], techniques: {onnx_runtime: [fp16]}")
    gatekeeper("run", file, "--output", "out")
    assert not (tmp_path / "out/answers.npz").exists()
    assert report_of(tmp_path / "out")["targets"][0]["agreement"] is None


def test_a_variant_that_differs_is_pointed_at_though_its_accuracy_holds(gatekeeper: Command, tmp_path: Path) -> None:
    """The original is wrong wherever the planted variant differs, and so is that one: accuracy sees nothing."""
    generator = np.random.default_rng(3)
    x = generator.standard_normal((600, 16)).astype(np.float32)
    optimization = "frameworks: [planted], techniques: {planted: [one, two, planted]}"
    file = project(tmp_path / "p", f"{optimization}, {SECTION}")
    answered = (x @ np.load(tmp_path / "p/weight.npz")["w"]).argmax(axis=1)
    odd = x[:, 0] > 1.5
    np.savez(tmp_path / "p/eval.npz", x=x, y=np.where(odd, (answered + 2) % 4, answered))
    env = install_framework(tmp_path / "plugin", "planted")
    done = gatekeeper("run", file, env=env)
    [target] = report_of(tmp_path / "gatekeeper-report")["targets"]
    accuracy = {v["technique"]: g["verdict"] for v in target["variants"] for g in v["gates"] if g["gate"] == "accuracy"}
    assert accuracy == {"one": "pass", "two": "pass", "planted": "pass"}, done.stdout
    assert target["agreement"]["alone"] == [0, 0, 0, pytest.approx(odd.mean())]
    says = f"here/planted/planted answers {100 * odd.mean():.1f} % of the examples alone, where all 3 others agree: look at it"
    assert target["notes"] == target["agreement"]["findings"] == [f"{says}, although its accuracy holds"]
    assert says in " ".join(done.stdout.split())
    assert says.replace("here/planted/planted", "") in (tmp_path / "gatekeeper-report/report.md").read_text()
    assert report_of(tmp_path / "gatekeeper-report")["stages"][1]["verdict"] == "pass"


@pytest.mark.thorough
def test_without_an_evaluation_set_it_is_an_error_with_its_line(gatekeeper: Command, tmp_path: Path) -> None:
    file = project(tmp_path / "p", f"frameworks: [onnx_runtime], techniques: {{onnx_runtime: [fp16]}}, {SECTION}")
    text = file.read_text()
    file.write_text(text.replace("  dataset: {path: eval.npz}\n", "").replace("gates: {", "gates: {accuracy: disabled, "))
    done = gatekeeper("run", file)
    report = report_of(tmp_path / "gatekeeper-report")
    stage = report["stages"][1]
    assert done.returncode == 4, done.stdout
    assert stage["reason"].startswith("cross_validation needs an evaluation set. Name one")
    line = next(i for i, row in enumerate(file.read_text().splitlines(), 1) if "cross_validation" in row)
    assert stage["where"].endswith(f"pipeline.yaml:{line}")
    assert report["targets"][0]["variants"][0]["performance"], "everything else was measured"


@pytest.mark.thorough
def test_one_variant_is_no_comparison_of_performance(gatekeeper: Command, tmp_path: Path) -> None:
    section = "validation: {performance_comparison: required}"
    file = project(tmp_path / "p", f"frameworks: [onnx_runtime], techniques: {{onnx_runtime: [fp16]}}, {section}")
    done = gatekeeper("run", file)
    assert done.returncode in (1, 4)
    stage = report_of(tmp_path / "gatekeeper-report")["stages"][1]
    assert stage["verdict"] == "error"
    assert "here: performance_comparison is required and needs 2 measured variants; of 1, 1 could be measured" in stage["reason"]
    assert not (tmp_path / "gatekeeper-report/answers.npz").exists()
