"""The testing stage through the front door: variants that misbehave only behind a server, and runs that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from junitparser import JUnitXml
from kit.support import eventually, install_framework, start, write_project

TESTING = """\
  stages: [model_validation, optimization, testing]
  testing:
    unit_tests: basic
    integration_tests: smoke
    load_tests: smoke
    load: {target_qps: 200, p99_ms: 100, duration: %s, scenarios: [server]}
"""


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return install_framework(tmp_path_factory.mktemp("plugins"), "behind")


def project(folder: Path, techniques: str, duration: str = "6s") -> Path:
    file = write_project(folder, techniques, "behind", TESTING % duration)
    file.write_text(file.read_text().replace("memory_limit: 900MB", "memory_limit: 4GB"))
    return file


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "gatekeeper-report/report.json").read_text())
    return report


@pytest.mark.serial  # what waits for a core has other latencies
def test_what_shows_only_behind_a_server_blocks(plugins: dict[str, str], gatekeeper: Callable[..., Any], tmp_path: Path) -> None:
    file = project(tmp_path, "fine, delays, errs")
    file.write_text(file.read_text().replace("  gates: {", "  gates: {require: all, "))
    run = gatekeeper("run", file, env=plugins)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    report = report_of(tmp_path)
    assert {stage["stage"]: stage["verdict"] for stage in report["stages"]}["testing"] == "pass"
    variants = {v["technique"]: v for v in report["targets"][0]["variants"]}
    gates = {name: {g["gate"]: g["verdict"] for g in v["gates"]} for name, v in variants.items()}
    ours = ("unit_tests", "integration_tests", "p99_latency", "error_rate")
    assert {gates["fine"][name] for name in ours} == {"pass"}, variants["fine"]["gates"]
    assert variants["fine"]["verdict"] == "pass"
    assert gates["delays"]["p99_latency"] == "fail" and gates["delays"]["unit_tests"] == "pass"
    assert gates["errs"]["error_rate"] == "fail" and gates["errs"]["unit_tests"] == "pass"
    assert [variants[name]["verdict"] for name in ("delays", "errs")] == ["fail"] * 2

    [server] = variants["fine"]["tested"]["load"]
    assert server["scenario"] == "server" and server["target_qps"] == 200 and server["meets"]
    assert report["targets"][0]["legs"][0]["tested"]["load"], "the original was measured the same way"
    suites = {suite.name: suite for suite in JUnitXml.fromfile(str(tmp_path / "gatekeeper-report/junit.xml"))}
    fine, errs = (suites[variants[name]["id"]] for name in ("fine", "errs"))
    assert fine.failures == fine.errors == 0 and fine.tests > 20
    assert errs.failures >= 1
    page = (tmp_path / "gatekeeper-report/report.md").read_text()
    assert "p99" in page and "200/s" in page


@pytest.fixture
def under_load(plugins: dict[str, str], tmp_path: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A run in the middle of a load test, and every process it has."""
    process = start(project(tmp_path, "fine", "20s"), plugins)
    family: list[psutil.Process] = []

    def both() -> bool:
        assert process.poll() is None, process.communicate()
        family[:] = psutil.Process(process.pid).children(recursive=True)
        return bool(named(family, "gatekeeper.serve.worker") and named(family, "gatekeeper.process.worker"))

    def for_long() -> bool:
        """A load test of seconds has both for long; an integration test does not."""
        if not both():
            return False
        time.sleep(3)
        return both()

    assert eventually(for_long, 300), "no load test began"
    return process, family


def named(family: list[psutil.Process], module: str) -> list[psutil.Process]:
    found = []
    for process in family:
        with suppress(psutil.Error):
            if module in process.cmdline():
                found.append(process)
    return found


def nothing_is_left(family: list[psutil.Process], folder: Path) -> None:
    """No process, and no report."""
    _, alive = psutil.wait_procs(family, timeout=120)
    assert not alive, [p.cmdline() for p in alive]
    assert not (folder / "gatekeeper-report/report.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_killing_gatekeeper_under_load_leaves_no_process_and_no_report(
    under_load: tuple[subprocess.Popen[str], list[psutil.Process]], tmp_path: Path
) -> None:
    process, family = under_load
    process.kill()
    process.communicate(timeout=120)
    nothing_is_left(family, tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_under_load_leaves_no_process_and_no_report(
    under_load: tuple[subprocess.Popen[str], list[psutil.Process]], tmp_path: Path
) -> None:
    process, family = under_load
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in errors and "Traceback" not in errors
    nothing_is_left(family, tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_killing_every_server_of_a_run_is_no_pass(
    under_load: tuple[subprocess.Popen[str], list[psutil.Process]], tmp_path: Path
) -> None:
    process, _ = under_load

    def ended() -> bool:
        with suppress(psutil.Error):
            for server in named(psutil.Process(process.pid).children(recursive=True), "gatekeeper.serve.child"):
                server.kill()
        return process.poll() is not None

    assert eventually(ended, 500)
    out, errors = process.communicate()
    assert process.returncode in (1, 4), out + errors
    assert "Traceback" not in errors
    report = report_of(tmp_path)
    assert report["verdict"] in ("fail", "error")
    assert report["targets"][0]["variants"][0]["verdict"] in ("fail", "error")
