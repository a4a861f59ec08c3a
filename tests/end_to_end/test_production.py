"""The stage `production_deployment` through the front door: the file's own rollout, rehearsed, and said to be no more."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kit.haproxy import needs_haproxy
from kit.support import install_framework, write_project

STAGES = """\
  stages: [model_validation, optimization, production_deployment]
  model_validation: {security_scan: enabled}
  deployment: {strategy: canary, traffic_ramping: immediate, current: live/here__onnx_runtime__earlier.onnx}
"""


@needs_haproxy
def test_the_healthy_ramp_from_what_serves_now(gatekeeper: Callable[..., Any], tmp_path: Path) -> None:
    file = write_project(tmp_path, "fine", "behind", STAGES)
    file.write_text(file.read_text().replace("memory_limit: 900MB", "memory_limit: 4GB"))
    (tmp_path / "live").mkdir()
    served = tmp_path / "live/here__onnx_runtime__earlier.onnx"
    shutil.copy(tmp_path / "model.onnx", served)
    run = gatekeeper("run", file, env=install_framework(tmp_path / "plugins", "behind"))
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads((tmp_path / "gatekeeper-report/report.json").read_text())
    [stage] = [each for each in report["stages"] if each["stage"] == "production_deployment"]
    [done] = stage["production"]
    assert stage["verdict"] == "pass" and stage["reason"].startswith("rehearsed, not deployed: ")
    assert done["outcome"] == "rehearsed" and done["strategy"] == "canary"
    assert done["rehearsal"]["blue"] == hashlib.sha256(served.read_bytes()).hexdigest()
    assert [each["name"] for each in done["rehearsal"]["scenarios"]] == ["healthy"]
    scanned = [scan["model"] for each in report["stages"] for scan in each["scans"]]
    assert any("earlier" in name for name in scanned), scanned


def test_what_serves_now_must_be_there(gatekeeper: Callable[..., Any], tmp_path: Path) -> None:
    file = write_project(tmp_path, "int8_dynamic", "onnx_runtime", STAGES)
    done = gatekeeper("validate", file)
    assert done.returncode == 2 and "live/here__onnx_runtime__earlier.onnx" in done.stderr + done.stdout
