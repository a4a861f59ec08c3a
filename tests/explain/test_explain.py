"""`gatekeeper explain` as a user calls it: of a pipeline file, of a report, and where it cannot say much."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from jsonschema import Draft202012Validator
from kit import judged
from kit.command import Command, started
from kit.once import Once
from kit.skewed import skew
from kit.support import REPOSITORY
from onnx import numpy_helper

PIPELINE = """\
edge_ai_pipeline:
  stages: [model_validation, optimization]
  model: {path: skewed.onnx, task: image_classification}
  dataset: {path: eval.npz, calibration: calib.npz, metric: accuracy}
  targets: [{name: here, hardware: cpu, threads: 1}]
  optimization: {frameworks: [onnx_runtime], techniques: {onnx_runtime: [int8_dynamic, int8_static]}}
  measure: {blocks: 1, block_ms: 5}
"""


def told(folder: Path, *words: object, env: dict[str, str] | None = None) -> dict[str, Any]:
    """The explanation, by variant."""
    done = started(["explain", *map(str, words), "--json"], folder, env or {})
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    Draft202012Validator(json.loads((REPOSITORY / "schemas/explanation.schema.json").read_text())).validate(said)
    return said | {"by_id": {each["id"]: each for each in said["variants"]}}


def test_a_pipeline_file(example: Callable[[str], Path], tmp_path: Path) -> None:
    """Dynamic int8 spends its time in ConvInteger; what was rescaled is what static int8 loses the answers by."""
    folder = example("digits-cnn")
    for name in ("model.onnx", "eval.npz", "calib.npz"):
        shutil.copy(folder / name, tmp_path)
    skew(tmp_path / "model.onnx", tmp_path / "skewed.onnx")
    (tmp_path / "p.yaml").write_text(PIPELINE)
    said = told(tmp_path, "p.yaml")
    dynamic, static = (said["by_id"][f"here/onnx_runtime/{name}"] for name in ("int8_dynamic", "int8_static"))

    assert dynamic["profile"]["operators"][0]["operator"] == "ConvInteger"
    assert any("ConvInteger" in each["cause"] for each in dynamic["diagnoses"]), dynamic["diagnoses"]
    assert sum(each["share"] for each in dynamic["profile"]["operators"]) == pytest.approx(1)

    layers = static["ranking"]["layers"]
    assert [layer["operator"] for layer in layers[:2]] == ["Conv", "Conv"], layers
    assert layers[1]["divergence"] > 10 * layers[2]["divergence"]
    assert all(0 < layer["share"] <= 1 for layer in layers), "also where nodes were fused"
    assert static["ranking"]["examples"] == 64
    assert (dynamic["unsaid"], static["unsaid"]) == ([], [])
    assert [each["name"] for each in static["bottlenecks"] if each["found"] != "unknown" or each["reason"]], "all are spoken of"
    assert static["traffic"]["ceiling"] > 0
    assert static["traffic"]["least"] is False


@pytest.fixture(scope="module")
def ran(once: Once) -> Path:
    """A run that fails: eight bits lose a class. It has a calibration set."""

    def run(folder: Path) -> None:
        file = judged.one_class_ruined(folder)
        with np.load(folder / "eval.npz") as data:
            np.savez(folder / "calib.npz", x=data["x"][:100] + 1e-4)
        file.write_text(file.read_text().replace("{path: eval.npz}", "{path: eval.npz, calibration: calib.npz}"))
        done = started(["run", str(file), "--output", "out"], folder, {})
        assert done.returncode == 1, done.stderr

    return once("explained-run", run)


@pytest.fixture
def result(ran: Path, tmp_path: Path) -> Path:
    """A folder of the test's own, with the run's report in `out`."""
    return Path(shutil.copytree(ran, tmp_path / "run", ignore=shutil.ignore_patterns(".lock")))


def test_a_report(result: Path) -> None:
    """The file that the report names was in the folder that the run was called in."""
    short = "likely it has fewer bits than the original"
    assert short in (result / "out/report.md").read_text()
    assert short in (result / "out/junit.xml").read_text()
    before = (result / "out/report.json").read_bytes()

    [variant] = told(result, "out")["variants"]
    assert variant["verdict"] == "fail"
    [first, *_] = variant["diagnoses"]
    assert first["problem"] == "accuracy_drop"
    assert "worst_class" in first["gates"]
    assert first["evidence"][0]["said"].startswith(first["gates"][0])
    assert [each["tried"] for each in first["remedies"]] == [None]
    assert variant["ranking"]["layers"][0]["output"] == "scores"
    assert (result / "out/report.json").read_bytes() == before, "nothing is judged, or written, again"


def test_a_report_alone(result: Path) -> None:
    """Without the pipeline file, with another one, and where nothing is to be measured, it says what cannot be said."""
    (result / "pipeline.yaml").write_text((result / "pipeline.yaml").read_text() + "# changed\n")
    [variant] = told(result, "out")["variants"]
    assert "has changed since" in variant["unsaid"][0]
    assert variant["diagnoses"], "what the run measured is said all the same"
    assert (variant["profile"], variant["ranking"], variant["traffic"]) == (None, None, None)
    shutil.move(result / "out", result.parent / "alone")
    [variant] = told(result.parent, "alone/report.json")["variants"]
    assert "is not here" in variant["unsaid"][0]
    [variant] = told(result.parent, "alone", "--no-measure")["variants"]
    assert "nothing was measured" in variant["unsaid"][0]


def test_an_artifact_that_is_gone_is_made_again_and_another_is_refused(result: Path) -> None:
    [file] = (result / "out/artifacts").iterdir()
    model = onnx.load(file)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), model.graph.initializer[0].name))
    onnx.save(model, file)
    [variant] = told(result, "out")["variants"]
    assert variant["profile"], "it was made again: the one beside the report is not what was judged"
    report = json.loads((result / "out/report.json").read_text())
    report["targets"][0]["legs"][0]["environment"]["cpu"] = "another"
    (result / "out/report.json").write_text(json.dumps(report))
    [variant] = told(result, "out")["variants"]
    assert "they are of this one (" in variant["unsaid"][0], "a report may be from elsewhere"
    report["targets"][0]["variants"][0]["artifact"]["sha256"] = "1" * 64
    (result / "out/report.json").write_text(json.dumps(report))
    [variant] = told(result, "out")["variants"]
    assert "what is made of the same file now is another one" in variant["unsaid"][0]
    assert variant["profile"] is None


def test_without_calibration_data_layers_are_not_ranked(tmp_path: Path) -> None:
    file = judged.two_heads(tmp_path)
    file.write_text(file.read_text().replace("[fp16]", "[int8_dynamic]"))
    [variant] = told(tmp_path, file)["variants"]
    assert variant["profile"]["operators"]
    assert "no calibration set" in variant["ranking"]["reason"]
    assert any("no calibration set" in each for each in variant["unsaid"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.yaml"], "nowhere.yaml"),
        (["empty"], "no report.json in it"),
        (["pipeline.yaml", "--no-measure"], "a pipeline file has no measurements"),
        (["pipeline.yaml", "--budget", "long"], "not a duration"),
        (["report.json"], "not a gatekeeper report"),
        (["pipeline.yaml", "--variant", "here/onnx_runtime/fp17"], "here/onnx_runtime/fp16"),
    ],
    ids=lambda each: each if isinstance(each, str) else " ".join(each),
)
def test_what_is_wrong_is_said(gatekeeper: Command, tmp_path: Path, words: list[str], said: str) -> None:
    judged.two_heads(tmp_path)
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    done = gatekeeper("explain", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_text(result: Path) -> None:
    done = started(["explain", "out", "--no-measure", "--quiet"], result, {})
    assert done.returncode == 0, done.stderr
    assert "accuracy_drop (" in done.stdout
    assert "(not tried)" in done.stdout
    assert "memory_bound: unknown" in done.stdout
    assert done.stderr == ""


def test_the_example_of_the_docs_is_what_is_printed() -> None:
    """Every bottleneck and problem there is has its place in docs/explain.md."""
    from gatekeeper.causes.bottlenecks._base import REGISTRY as BOTTLENECKS
    from gatekeeper.causes.diagnoses._base import REGISTRY as PROBLEMS
    from gatekeeper.explain.profilers._base import REGISTRY as PROFILERS

    page = (REPOSITORY / "docs/explain.md").read_text()
    assert [name for each in (BOTTLENECKS, PROBLEMS, PROFILERS) for name in each.builtin if f"`{name}`" not in page] == []
