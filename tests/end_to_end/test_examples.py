"""Every example through the front door, measured for real."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from junitparser import JUnitXml
from support import EXAMPLES, REPOSITORY


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_valid_and_plans(name: str, example: Callable[[str], Path], gatekeeper: Any) -> None:
    file = example(name) / "edge_ai_pipeline.yaml"
    assert gatekeeper("validate", file).returncode == 0
    planned = gatekeeper("plan", file, "--format", "github")
    assert planned.returncode == 0
    matrix = json.loads(planned.stdout)
    assert matrix["include"] and {"target", "framework", "runs_on"} <= matrix["include"][0].keys()


def test_digits_mlp_passes_with_intervals_then_renders_and_merges(
    example: Callable[[str], Path], gatekeeper: Any, tmp_path: Path
) -> None:
    file = example("digits-mlp") / "edge_ai_pipeline.yaml"
    run = gatekeeper("run", file, "--output", tmp_path / "report")
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads((tmp_path / "report/report.json").read_text())
    schema = json.loads((REPOSITORY / "schemas/report.schema.json").read_text())
    Draft202012Validator(schema).validate(report)

    assert report["schema"] == "gatekeeper/report/v1"
    assert report["verdict"] == "pass"
    target = report["targets"][0]
    selected = next(v for v in target["variants"] if v["id"] == target["selected"])
    gates = {g["gate"]: g for g in selected["gates"]}
    for name in ("accuracy", "speedup", "memory"):
        gate = gates[name]
        assert gate["verdict"] == "pass"
        assert gate["limit"] <= gate["lower"] <= gate["observed"] <= gate["upper"]
        assert re.fullmatch(r".*edge_ai_pipeline\.yaml:\d+", gate["where"])

    artifact = tmp_path / "report" / selected["artifact"]["path"]
    assert artifact.stat().st_size == selected["artifact"]["bytes"]
    from gatekeeper.models.files import assess, digest

    assert digest(artifact) == selected["artifact"]["sha256"]
    assert assess(artifact).quantized, "the passing variant is really quantized"

    samples = json.loads((tmp_path / "report/samples.json").read_text())
    leg = samples[target["legs"][0]["id"]]
    assert {"baseline", "control", selected["id"]} <= leg.keys()
    rounds = selected["performance"]["rounds"]
    assert len(rounds) >= 8
    for measured, raw in zip(rounds, leg[selected["id"]], strict=True):
        assert measured["count"] == len(raw)
        assert measured["median_ns"] == pytest.approx(sorted(raw)[len(raw) // 2], rel=0.05)

    suites = JUnitXml.fromfile(str(tmp_path / "report/junit.xml"))
    assert selected["id"] in {suite.name for suite in suites}
    assert (tmp_path / "report/report.md").read_text().startswith("## ✅ gatekeeper: pass")

    again = gatekeeper("report", tmp_path / "report", "--format", "markdown")
    assert again.returncode == 0
    assert again.stdout == (tmp_path / "report/report.md").read_text(), "rendering again changes nothing"


def test_a_rerun_takes_the_artifacts_from_the_cache(example: Callable[[str], Path], gatekeeper: Any, tmp_path: Path) -> None:
    file = example("digits-cnn") / "edge_ai_pipeline.yaml"
    cache = tmp_path / "cache"
    first = gatekeeper("run", file, "--cache-dir", cache, "--output", tmp_path / "one")
    made = sorted((cache / "artifacts").iterdir())
    times = [p.stat().st_mtime_ns for p in made]
    second = gatekeeper("run", file, "--cache-dir", cache, "--output", tmp_path / "two")
    assert (first.returncode, second.returncode) == (1, 1)
    assert sorted((cache / "artifacts").iterdir()) == made
    assert [p.stat().st_mtime_ns for p in made] == times


def test_digits_cnn_fails_and_names_the_gate(example: Callable[[str], Path], gatekeeper: Any, tmp_path: Path) -> None:
    file = example("digits-cnn") / "edge_ai_pipeline.yaml"
    run = gatekeeper("run", file, "--output", tmp_path / "report")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "FAIL" in run.stdout
    assert "int8_dynamic: speedup" in run.stdout
    assert "slower than the baseline" in run.stdout
    assert "Traceback" not in run.stderr


def test_defer_verdict_leaves_the_decision_to_the_merge(example: Callable[[str], Path], gatekeeper: Any, tmp_path: Path) -> None:
    file = example("digits-cnn") / "edge_ai_pipeline.yaml"
    plan = gatekeeper("plan", file, "--format", "json")
    (tmp_path / "plan.json").write_text(plan.stdout)
    run = gatekeeper("run", file, "--output", tmp_path / "leg", "--defer-verdict", "--quiet")
    assert run.returncode == 0
    assert run.stderr == ""
    merged = gatekeeper("report", tmp_path / "leg", "--plan", tmp_path / "plan.json", "--output", tmp_path / "merged")
    assert merged.returncode == 1
    assert json.loads((tmp_path / "merged/report.json").read_text())["verdict"] == "fail"
