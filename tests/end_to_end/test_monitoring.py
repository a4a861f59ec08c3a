"""The stage `monitoring` through the front door: what it watched is the very file that passed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.support import install_framework, write_project

OFF = ("no_traffic", "restarts", "latency_p50", "latency_p95", "latency_p99", "accuracy", "agreement", "error_rate")
STAGES = f"""\
  stages: [model_validation, optimization, monitoring]
  model_validation: {{security_scan: enabled}}
  deployment: {{monitoring: periodic}}
  monitoring: {{metrics: "http://127.0.0.1:1/metrics", alerts: {{{", ".join(f"{name}: disabled" for name in OFF)}}}}}
"""


@pytest.mark.serial
def test_the_file_that_was_watched_is_the_one_that_passed(gatekeeper: Callable[..., Any], tmp_path: Path) -> None:
    file = write_project(tmp_path, "fine", "behind", STAGES)
    file.write_text(file.read_text().replace("memory_limit: 900MB", "memory_limit: 4GB"))
    run = gatekeeper("run", file, env=install_framework(tmp_path / "plugins", "behind"))
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads((tmp_path / "gatekeeper-report/report.json").read_text())
    [stage] = [each for each in report["stages"] if each["stage"] == "monitoring"]
    [watched] = stage["watched"]
    [variant] = [each for each in report["targets"][0]["variants"] if each["id"] == report["targets"][0]["selected"]]
    assert stage["verdict"] == "pass" and [each["alert"] for each in watched["alerts"]] == ["absent"]
    assert watched["artifact"] == variant["artifact"]["sha256"]
    again = gatekeeper("report", "gatekeeper-report", "--output", "again")
    assert again.returncode == 0, again.stdout + again.stderr
