"""The stage staging_deployment through the front door."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.haproxy import needs_haproxy
from kit.support import install_framework, write_project

STAGES = "  stages: [model_validation, optimization, staging_deployment]\n"


def project(folder: Path, extra: str = STAGES) -> tuple[Path, dict[str, str]]:
    plugins = install_framework(folder / "plugin", "behind")
    file = write_project(folder, "fine", "behind", extra)
    file.write_text(file.read_text().replace("memory_limit: 900MB", "memory_limit: 4GB"))
    return file, plugins


def stage_of(folder: Path) -> Any:
    report = json.loads((folder / "gatekeeper-report/report.json").read_text())
    return next(stage for stage in report["stages"] if stage["stage"] == "staging_deployment")


@needs_haproxy
@pytest.mark.paced
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
