"""The stage staging_deployment through the front door: packages, and the rehearsed rollout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.haproxy import needs_haproxy
from kit.staged import KUBERNETES, PACKAGING, PHONE
from kit.support import REPOSITORY, install_framework, write_project

STAGES = "  stages: [model_validation, optimization, staging_deployment]\n"


def project(folder: Path, extra: str = STAGES) -> tuple[Path, dict[str, str]]:
    plugins = install_framework(folder / "plugin", "behind")
    file = write_project(folder, "fine", "behind", extra)
    file.write_text(file.read_text().replace("memory_limit: 900MB", "memory_limit: 4GB"))
    return file, plugins


UNREHEARSED = """
from kit.rehearsed import rehearsal
from gatekeeper.cli._main import main
from gatekeeper.stages import _rollouts

def rehearsed(setup, known, name, leg, blue, only=None):
    variants = {each.id: each for target in known.targets for each in target.variants}
    return rehearsal(name, variants[name].artifact.sha256)

_rollouts.rehearsed = rehearsed
main()
"""
"""The command line, in which an honest record stands in for the minutes of a rehearsal."""


def stage_of(folder: Path) -> Any:
    report = json.loads((folder / "gatekeeper-report/report.json").read_text())
    return next(stage for stage in report["stages"] if stage["stage"] == "staging_deployment")


@needs_haproxy
@pytest.mark.serial
@pytest.mark.thorough
def test_what_would_be_deployed_is_rehearsed(gatekeeper: Callable[..., Any], tmp_path: Path) -> None:
    file, plugins = project(tmp_path)
    run = gatekeeper("run", file, env=plugins)
    assert run.returncode == 0, run.stdout + run.stderr
    stage = stage_of(tmp_path)
    assert stage["verdict"] == "pass" and "7 faults arrived and none was promoted" in stage["reason"], stage["reason"]
    assert [each["variant"] for each in stage["rehearsals"]] == ["here/behind/fine"]
    merged = gatekeeper("report", "gatekeeper-report", "--format", "json", env=plugins)
    assert merged.returncode == 0 and json.loads(merged.stdout)["verdict"] == "pass", merged.stderr


def test_nothing_is_rehearsed_that_would_not_be_deployed(gatekeeper: Callable[..., Any], tmp_path: Path) -> None:
    file, plugins = project(tmp_path)
    file.write_text(file.read_text().replace("speedup: {min: 0.01}", "speedup: disabled, package_size: {max: 100B}"))
    run = gatekeeper("run", file, env=plugins)
    stage = stage_of(tmp_path)
    assert (run.returncode, stage["verdict"]) == (1, "skip"), run.stdout + run.stderr
    assert "no variant passed" in stage["reason"] and stage["rehearsals"] == []


def packaged(folder: Path, more: str) -> tuple[int, Any, str]:
    """A run of a model in ONNX Runtime with that packaging, without the time of a rehearsal."""
    file = write_project(folder, "int8_dynamic", "onnx_runtime", STAGES + more, timed=False)
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])}
    words = [sys.executable, "-c", UNREHEARSED, "run", str(file)]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode, stage_of(folder), done.stdout + done.stderr


@needs_haproxy
def test_what_the_file_packages_is_built_and_tried_and_held_to_the_file(gatekeeper: Callable[..., Any], tmp_path: Path) -> None:
    if not shutil.which("docker-registry"):
        pytest.skip("the Debian package docker-registry is not installed")
    pytest.importorskip("oras", reason="the extra `deploy` is not installed")
    code, stage, said = packaged(tmp_path, PACKAGING)
    assert (code, stage["verdict"]) == (0, "pass"), said
    own = {each["key"]: each for each in stage["packages"]}
    assert set(own) == {KUBERNETES, PHONE}
    for key, each in own.items():
        checks = {check["name"]: check["verdict"] for check in each["checks"]}
        assert set(checks.values()) == {"pass"} and ("objects" in checks) == (key == KUBERNETES), checks
    assert own[KUBERNETES]["stand_in"] == ["image"]
    assert "2 came back from a registry as sent" in stage["reason"]
    report = tmp_path / "gatekeeper-report/report.json"
    again = gatekeeper("report", report, "--format", "json")
    assert again.returncode == 0, again.stdout[-1000:]
    row = next(each for each in json.loads(again.stdout)["checklist"] if each["item"] == "what is shipped was built, and tried")
    assert f"{KUBERNETES} of here/onnx_runtime/int8_dynamic: built pass, objects pass" in row["shown"]
    lying = json.loads(report.read_text())
    next(each for each in lying["stages"] if each["stage"] == "staging_deployment")["packages"].pop()
    report.write_text(json.dumps(lying))
    less = gatekeeper("report", report, "--format", "json")
    assert less.returncode == 4 and f"says nothing of {PHONE}" in less.stdout


@needs_haproxy
def test_a_package_of_what_nobody_makes_fails_and_no_packaging_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    code, stage, said = packaged(tmp_path / "a", PACKAGING.replace("int8,", "int4,"))
    assert (code, stage["verdict"]) == (1, "fail"), said
    assert "the report has no such variant: it has here/onnx_runtime/int8_dynamic" in stage["reason"]
    (tmp_path / "b").mkdir()
    code, stage, said = packaged(tmp_path / "b", "")
    assert code == 0 and stage["packages"] == [] and "packages: none, since the file has no `packaging`" in stage["reason"], said
