"""`security_scan: enabled` through the command line: nothing is loaded that was not scanned, nor anything else than what was."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kit import hostile_models
from kit.command import call
from kit.support import install_plugin, write_project

ENABLED = "  model_validation: {security_scan: enabled}\n"
LOADER = """\
import numpy as np

def load():
    {body}
    data = np.load("eval.npz")
    return {{"x": data["x"]}}, data["y"]
"""


def project(folder: Path, extra: str = ENABLED) -> None:
    write_project(folder, "fp16", "onnx_runtime", extra=extra, timed=False)


def run(folder: Path, *words: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any], str]:
    done = call(["run", "pipeline.yaml", "--quiet", "--cache-dir", "cache", *words], folder, env or {})
    report = folder / "gatekeeper-report/report.json"
    return done.returncode, json.loads(report.read_text()) if report.exists() else {}, done.stdout + done.stderr


def loading(folder: Path, body: str) -> None:
    """The evaluation set comes from a function, whose first line is `body`."""
    (folder / "own.py").write_text(LOADER.format(body=body))
    file = folder / "pipeline.yaml"
    file.write_text(file.read_text().replace("dataset: {path: eval.npz}", "dataset: {loader: own:load}"))


def stage(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in report["stages"] if each["stage"] == "model_validation")
    return found


def test_a_clean_model_passes_and_says_what_was_scanned(tmp_path: Path) -> None:
    project(tmp_path)
    code, report, said = run(tmp_path)
    assert code == 0, said
    line = stage(report)
    assert "security_scan: 1 file clean" in line["reason"]
    [scan] = line["scans"]
    [file] = scan["files"]
    assert (scan["verdict"], file["file"], file["sha256"]) == ("clean", "model.onnx", report["model"]["sha256"])


def test_a_hostile_model_fails_before_anything_is_loaded(tmp_path: Path) -> None:
    project(tmp_path)
    loading(tmp_path, "raise ValueError('the loader ran')")
    hostile_models.HOSTILE["onnx_custom"][1](tmp_path)
    code, report, said = run(tmp_path)
    assert code == 1, said
    line = stage(report)
    assert (line["verdict"], report["verdict"]) == ("fail", "fail")
    assert "model.onnx: custom_operator: 'Evil' of the domain 'evil.domain'" in line["reason"]
    assert "the loader ran" not in said
    for name in ("report.md", "junit.xml"):
        shown = (tmp_path / "gatekeeper-report" / name).read_text().replace("\\", "")
        assert "custom_operator" in shown, name
    sarif = call(["report", "gatekeeper-report/report.json", "--format", "sarif"], tmp_path, {})
    assert "custom_operator" in sarif.stdout


def test_what_cannot_be_scanned_is_an_error(tmp_path: Path) -> None:
    project(tmp_path)
    code = "DESCRIPTION = ''\nRULES = {}\nORDER = 1\ntakes = lambda seen: True\ndef scan(seen):\n    raise ValueError('moody')\n"
    env = install_plugin(tmp_path / "site", {"moody_scan": code}, "[gatekeeper.scans]\nmoody = moody_scan\n")
    exit_code, report, said = run(tmp_path, env=env)
    assert exit_code == 4, said
    assert "could not be scanned: model.onnx: ValueError: moody" in stage(report)["reason"]


def test_switched_off_nothing_is_scanned(tmp_path: Path) -> None:
    project(tmp_path, extra="")
    code, report, said = run(tmp_path)
    assert code == 0, said
    assert stage(report)["scans"] == []


def test_a_hostile_variant_of_ones_own_fails(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "ours").mkdir()
    hostile_models.HOSTILE["onnx_python-contrib"][1](tmp_path / "ours")
    file = tmp_path / "pipeline.yaml"
    own = "variants: [{name: ours, path: ours/model.onnx, framework: onnx_runtime}], techniques"
    file.write_text(file.read_text().replace("techniques", own))
    code, report, said = run(tmp_path)
    assert code == 1, said
    assert "python_operator" in stage(report)["reason"]


TESTED = """\
  stages: [model_validation, optimization, testing]
  testing: {security_tests: comprehensive}
"""


def with_hostile_training(model: Path, folder: Path) -> Path:
    """Nearly the same model, and an operator of nobody's where only who trains it on would look: it loads, and answers alike."""
    folder.mkdir()
    made = onnx.load(model)
    weight = made.graph.initializer[0]
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * np.float32(1.001), weight.name))
    made.training_info.add().algorithm.node.append(hostile_models.custom())
    onnx.save(made, folder / "model.onnx")
    return folder / "model.onnx"


def test_comprehensive_security_tests_scan_every_variant(tmp_path: Path) -> None:
    """One that loads and keeps every answer fails by what is in its file, and is not served."""
    file = write_project(tmp_path, "int8_dynamic", "onnx_runtime", extra=TESTED, timed=False)
    hostile = with_hostile_training(tmp_path / "model.onnx", tmp_path / "ours")
    own = "frameworks: [], variants: [{name: ours, path: ours/model.onnx, framework: onnx_runtime}]"
    file.write_text(file.read_text().replace("frameworks: [onnx_runtime], techniques: {onnx_runtime: [int8_dynamic]}", own))
    code, report, said = run(tmp_path)
    assert code == 1, said
    assert stage(report)["scans"] == [], "nothing was scanned before"
    [variant] = report["targets"][0]["variants"]
    gates = {each["gate"]: each for each in variant["gates"]}
    assert variant["artifact"]["sha256"] == hashlib.sha256(hostile.read_bytes()).hexdigest()
    assert gates["accuracy"]["verdict"] == "pass", "it is as good as the original"
    assert (variant["verdict"], gates["security_tests"]["verdict"]) == ("fail", "fail")
    assert "model_scan: model.onnx: custom_operator: 'Evil' of the domain 'evil.domain'" in gates["security_tests"]["reason"]
    checks = {each["name"]: each for each in variant["tested"]["checks"]}
    assert {each["verdict"] for name, each in checks.items() if name != "model_scan"} == {"error"}, "no server was started"
    path = tmp_path / "gatekeeper-report/report.json"
    for spoilt in (
        [each | {"verdict": "pass"} if each["name"] != "model_scan" else each for each in checks.values()],
        [each | {"verdict": "pass"} for each in checks.values() if each["name"] != "model_scan"],
    ):
        variant["tested"]["checks"] = spoilt
        variant["verdict"] = gates["security_tests"]["verdict"] = "pass"
        path.write_text(json.dumps(report))
        done = call(["report", path, "--policy", "pipeline.yaml"], tmp_path, {})
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr


def swapped(model: Path) -> None:
    """Another file in its place, of the same bytes."""
    other = model.with_suffix(".other")
    other.write_bytes(model.read_bytes())
    other.replace(model)


def written_again(model: Path) -> None:
    model.write_bytes(model.read_bytes())


@pytest.mark.parametrize("change", [swapped, written_again])
def test_a_model_that_changes_after_the_scan_is_an_error(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Even where it is put back: what was loaded meanwhile nobody knows."""
    project(tmp_path)
    loading(tmp_path, "import time; time.sleep(3)")
    words = [sys.executable, "-m", "gatekeeper", "run", "pipeline.yaml", "--cache-dir", "cache"]
    streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, cwd=tmp_path, **streams) as process:
        assert process.stderr is not None
        said = [next(process.stderr)]
        while "Checking model.onnx" not in said[-1]:
            said.append(next(process.stderr))
        change(tmp_path / "model.onnx")
        said += list(process.stderr)
    assert process.returncode == 4, said
    report = json.loads((tmp_path / "gatekeeper-report/report.json").read_text())
    assert "model.onnx has changed since it was scanned" in stage(report)["reason"]


def test_a_policy_that_scans_holds(tmp_path: Path) -> None:
    project(tmp_path)
    allowed = ENABLED.replace("enabled", "enabled, allowed_domains: [ours]")
    (tmp_path / "policy.yaml").write_text((tmp_path / "pipeline.yaml").read_text().replace(ENABLED, allowed))
    file = tmp_path / "pipeline.yaml"
    hostile_models.HOSTILE["onnx_custom"][1](tmp_path)
    for weaker, told in (
        ("", "model_validation.security_scan: enabled in the policy, disabled here"),
        (ENABLED.replace("enabled", "enabled, allowed_domains: [ours, evil.domain]"), "allowed_domains: ours in the policy"),
    ):
        file.write_text((tmp_path / "policy.yaml").read_text().replace(allowed, weaker))
        code, report, said = run(tmp_path, "--policy", "policy.yaml")
        assert code == 1, said
        assert "custom_operator" in stage(report)["reason"]
        assert any(told in each for each in report["pipeline"]["loosened"]), report["pipeline"]["loosened"]


def test_a_report_without_the_scan_is_no_pass(tmp_path: Path) -> None:
    project(tmp_path)
    code, report, said = run(tmp_path, "--policy", "pipeline.yaml")
    assert code == 0, said
    path = tmp_path / "gatekeeper-report/report.json"
    for spoilt in ({"scans": []}, {"scans": [stage(report)["scans"][0] | {"verdict": "unscanned"}]}):
        stage(report).update(spoilt)
        path.write_text(json.dumps(report))
        done = call(["report", path, "--policy", "pipeline.yaml"], tmp_path, {})
        assert done.returncode == 4, done.stdout + done.stderr
        assert "security_scan" in done.stdout
