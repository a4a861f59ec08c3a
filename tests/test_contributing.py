"""The walk-through of CONTRIBUTING.md, done: its code is installed as a package's and works as it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kit.support import REPOSITORY, install_plugin, write_project

GUIDE = (REPOSITORY / ".github/CONTRIBUTING.md").read_text()


def block(file: str) -> str:
    """The code that the guide puts into a file."""
    found = re.search(rf"`{re.escape(file)}`:\n\n```python\n(.*?)```", GUIDE, re.DOTALL)
    assert found, f"CONTRIBUTING.md shows no {file}"
    return found[1]


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str]:
    modules = {
        "my_gate": block("gatekeeper/gates/load_time.py"),
        "my_report": block("gatekeeper/reports/csv.py"),
        "my_framework": block("gatekeeper/frameworks/onnx_reference.py"),
    }
    points = (
        "[gatekeeper.gates]\nload_time = my_gate\n\n[gatekeeper.reports]\ncsv = my_report\n\n"
        "[gatekeeper.frameworks]\nonnx_reference = my_framework\n"
    )
    return install_plugin(tmp_path / "site", modules, points)


def test_the_guides_gate_and_report_work_from_a_package(plugin: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path, "graph_optimized", "onnx_runtime")
    text = file.read_text().replace("gates: {", "gates: {load_time: {max_ms: 0.000001}, ")
    file.write_text(text.replace("max_rounds: 3", "max_rounds: 8"))
    run = gatekeeper("run", file, env=plugin)
    assert run.returncode == 1, run.stdout + run.stderr
    report = json.loads((tmp_path / "gatekeeper-report/report.json").read_text())
    gates = {g["gate"]: g for g in report["targets"][0]["variants"][0]["gates"]}
    assert gates["load_time"]["verdict"] == "fail"
    assert gates["load_time"]["observed"] > 0
    assert "load_time,fail" in (tmp_path / "gatekeeper-report/report.csv").read_text()
    printed = gatekeeper("report", tmp_path / "gatekeeper-report", "--format", "csv", env=plugin)
    assert printed.stdout.startswith("variant,gate,verdict")


def test_the_guides_framework_is_measured_beside_the_others(plugin: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    """Installed as a package of somebody else's, through its entry point."""
    file = write_project(tmp_path, "graph_optimized", "onnx_runtime")
    text = file.read_text().replace("frameworks: [onnx_runtime]", "frameworks: [onnx_runtime, onnx_reference]")
    file.write_text(text)
    planned = gatekeeper("plan", file, env=plugin)
    assert "here/onnx_reference" in planned.stdout, planned.stderr
    run = gatekeeper("run", file, env=plugin)
    report = json.loads((tmp_path / "gatekeeper-report/report.json").read_text())
    [_, leg] = report["targets"][0]["legs"]
    assert leg["framework"] == "onnx_reference" and not leg["error"], run.stdout
    assert leg["rounds"] == 3
    [variant] = [v for v in report["targets"][0]["variants"] if v["framework"] == "onnx_reference"]
    gates = {g["gate"]: g for g in variant["gates"]}
    assert gates["accuracy"]["verdict"] == "pass", variant
    assert variant["performance"]["p50_ns"] > 0


def test_the_guides_files_need_no_other_change(tmp_path: Path) -> None:
    """In a copy of the package, each is one new file."""
    copy = tmp_path / "gatekeeper"
    shutil.copytree(REPOSITORY / "gatekeeper", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("gatekeeper/gates/load_time.py", "gatekeeper/reports/csv.py", "gatekeeper/frameworks/onnx_reference.py"):
        (tmp_path / file).write_text(block(file))
    (tmp_path / "p.yaml").write_text(
        "edge_ai_pipeline: {gates: {load_time: {max_ms: 50}}, optimization: {frameworks: [onnx_reference], "
        "techniques: {onnx_reference: [rounded]}}}\n"
    )
    code = "from gatekeeper.cli._main import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, "validate", "p.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    bad = (tmp_path / "p.yaml").read_text().replace("50", "-1")
    (tmp_path / "p.yaml").write_text(bad)
    run = subprocess.run(
        [sys.executable, "-c", code, "validate", "p.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "load_time.max_ms" in run.stderr
