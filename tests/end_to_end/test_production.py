"""The stage `production_deployment` through the front door: the file's own rollout, rehearsed, and said to be no more."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.haproxy import needs_haproxy
from kit.live_host import Host, Users
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


HOSTS = """\
  stages: [model_validation, optimization, production_deployment]
  model_validation: {security_scan: enabled}
  deployment:
    strategy: canary
    traffic_ramping: immediate
    hosts: [{host: HOST, port: PORT, state: live, burst: 100ms, deadline: DEADLINE}]
"""


def hosted(folder: Path, deadline: str, host: str = "localhost") -> tuple[Path, dict[str, str]]:
    """A file that deploys on this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    stages = HOSTS.replace("HOST", host).replace("PORT", port).replace("DEADLINE", deadline)
    file = write_project(folder, "fine", "behind", stages)
    file.write_text(file.read_text().replace("memory_limit: 900MB", "memory_limit: 4GB"))
    return file, install_framework(folder / "plugins", "behind")


@needs_haproxy
def test_a_host_that_is_this_machine_is_deployed_to_and_without_users_held(
    gatekeeper: Callable[..., Any], tmp_path: Path
) -> None:
    file, env = hosted(tmp_path, "1s")
    run = gatekeeper("run", file, env=env)
    place = Host(tmp_path, "model")
    try:
        assert run.returncode == 3, run.stdout + run.stderr
        report = json.loads((tmp_path / "gatekeeper-report/report.json").read_text())
        [stage] = [each for each in report["stages"] if each["stage"] == "production_deployment"]
        [done] = stage["production"]
        assert stage["verdict"] == "inconclusive" and done["outcome"] == "deployed", stage
        assert done["live"]["ruling"]["decision"] == "hold" and done["live"]["artifact"] == artifact(report)
        assert len(place.servers()) == len(place.proxies()) == 1, "what served before serves"
        again = gatekeeper("report", "gatekeeper-report", "--output", "again")
        assert again.returncode == 3, again.stdout + again.stderr
    finally:
        place.end()


def artifact(report: Any) -> str:
    [target] = report["targets"]
    [chosen] = [each for each in target["variants"] if each["id"] == target["selected"]]
    return str(chosen["artifact"]["sha256"])


@needs_haproxy
@pytest.mark.serial
@pytest.mark.thorough
def test_users_requests_promote_it(gatekeeper: Callable[..., Any], tmp_path: Path) -> None:
    file, env = hosted(tmp_path, "8m")
    place = Host(tmp_path, "model")
    try:
        with Users(place) as users:
            run = gatekeeper("run", file, env=env)
        assert run.returncode == 0, run.stdout + run.stderr
        report = json.loads((tmp_path / "gatekeeper-report/report.json").read_text())
        [stage] = [each for each in report["stages"] if each["stage"] == "production_deployment"]
        assert stage["reason"].startswith("deployed: ") and users.answers.count(200) > 200
        standing = place.standing()
        assert standing.slots[standing.blue].sha256 == artifact(report)
    finally:
        place.end()


def test_another_machine_is_refused_and_nothing_is_started(gatekeeper: Callable[..., Any], tmp_path: Path) -> None:
    file, env = hosted(tmp_path, "1s", host="elsewhere.example")
    run = gatekeeper("run", file, env=env)
    assert run.returncode == 4, run.stdout + run.stderr
    assert "deployment.hosts names elsewhere.example" in run.stdout + run.stderr
    assert not (tmp_path / "live").exists()


def test_what_serves_now_must_be_there(gatekeeper: Callable[..., Any], tmp_path: Path) -> None:
    file = write_project(tmp_path, "int8_dynamic", "onnx_runtime", STAGES)
    done = gatekeeper("validate", file)
    assert done.returncode == 2 and "live/here__onnx_runtime__earlier.onnx" in done.stderr + done.stdout
