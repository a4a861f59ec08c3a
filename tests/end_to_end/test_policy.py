"""A pull request in a real repository: what it changes about its own gate, and what comes of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.hand_built import commit
from kit.support import write_project

Command = Callable[..., subprocess.CompletedProcess[str]]
WAIVERS = """\
waivers:
  - {gate: package_size, target: here, ceiling: 9MB, reason: soon, owner: someone, expires: 2099-12-31}
"""


@pytest.fixture
def pull_request(tmp_path: Path) -> Path:
    """A pipeline file whose branch `main` allows a hundred bytes, and which itself allows nine megabytes."""
    file = write_project(tmp_path, "fp16", "onnx_runtime", timed=False)
    loose = file.read_text().replace("gates: {", "gates: {package_size: {max: 9MB}, ")
    file.write_text(loose.replace("max: 9MB", "max: 100B"))
    commit(tmp_path, file.name)
    file.write_text(loose)
    return file


def report_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "gatekeeper-report/report.json").read_text())
    return found


def size(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(g for g in report["targets"][0]["variants"][0]["gates"] if g["gate"] == "package_size")
    return found


def test_a_limit_loosened_in_a_pull_request_is_not_applied(gatekeeper: Command, pull_request: Path) -> None:
    folder = pull_request.parent
    assert gatekeeper("run", "pipeline.yaml", env={"GITHUB_SHA": "A" * 40}).returncode == 0
    own = report_of(folder)
    assert (own["commit"], own["pipeline"]["policy"], own["pipeline"]["policy_sha256"]) == ("a" * 40, "", "")
    done = gatekeeper("run", "pipeline.yaml", "--policy-ref", "main", "--baseline-report", "gatekeeper-report/report.json")
    assert done.returncode == 1, done.stderr
    held = report_of(folder)
    assert (size(held)["limit"], size(held)["verdict"]) == (100.0, "fail")
    assert held["pipeline"]["policy"].startswith("main at ")
    assert held["pipeline"]["loosened"] == ["gates.package_size.max: 100B in the policy, 9MB here (pipeline.yaml:6)"]
    assert (held["base"]["verdict"], held["base"]["commit"], held["base"]["changed"]) == ("pass", "a" * 40, True)
    assert size(held)["before"]["limit"] == 9e6


def test_a_pull_request_cannot_waive_its_own_failure(gatekeeper: Command, pull_request: Path) -> None:
    folder, waivers = pull_request.parent, pull_request.parent / "gatekeeper-waivers.yml"
    waivers.write_text(WAIVERS)
    assert gatekeeper("run", "pipeline.yaml", "--policy-ref", "main").returncode == 1
    assert size(report_of(folder))["waiver"] is None
    pull_request.write_text(pull_request.read_text().replace("max: 9MB", "max: 100B"))
    commit(folder, waivers.name)
    waivers.unlink()
    assert gatekeeper("run", "pipeline.yaml", "--policy-ref", "main").returncode == 0
    assert (size(report_of(folder))["verdict"], size(report_of(folder))["waiver"]["owner"]) == ("fail", "someone")


@pytest.mark.thorough
def test_a_leg_leaves_waivers_to_the_merged_report(gatekeeper: Command, pull_request: Path) -> None:
    folder, waivers = pull_request.parent, pull_request.parent / "gatekeeper-waivers.yml"
    pull_request.write_text(pull_request.read_text().replace("max: 9MB", "max: 100B"))
    waivers.write_text(WAIVERS)
    assert gatekeeper("run", "pipeline.yaml", "--defer-verdict").returncode == 0
    assert (report_of(folder)["verdict"], size(report_of(folder))["waiver"]) == ("fail", None)
    assert gatekeeper("report", "gatekeeper-report").returncode == 1
    assert gatekeeper("report", "gatekeeper-report", "--waivers", waivers).returncode == 0


def test_a_target_that_a_pull_request_removes_and_its_metric_are_missed(gatekeeper: Command, tmp_path: Path) -> None:
    file = write_project(tmp_path, "fp16", "onnx_runtime", timed=False)
    (tmp_path / "base").mkdir()
    whole = file.read_text().replace("threads: 1}]", "threads: 1}, {name: gone, hardware: cpu}]")
    (tmp_path / "base" / "p.yaml").write_text(whole.replace("eval.npz", "eval.npz, metric: macro_f1"))
    deferred = gatekeeper("run", file, "--policy", "base/p.yaml", "--defer-verdict")
    assert deferred.returncode == 0, "the leg itself was measured; the merged report decides"
    done = gatekeeper("report", "gatekeeper-report", "--policy", "base/p.yaml")
    assert done.returncode == 4
    assert "target gone of the policy is missing; dataset.metric: macro_f1 in the policy, not given here" in done.stdout
    assert "Put it back, or change base/p.yaml first." in done.stdout


@pytest.mark.parametrize(
    ("words", "env", "says"),
    [
        (("--policy-ref", "nowhere"), {}, "'nowhere' is not in this clone, which has no remote to fetch it from"),
        (("--policy-ref=-x",), {}, "'-x' cannot be a git ref"),
        (("--policy-ref", "main", "--policy", "pipeline.yaml"), {}, "Use one of them"),
        (("--policy", "none.yaml"), {}, "none.yaml: no such file"),
        (("--baseline-report", "pipeline.yaml"), {}, "not a gatekeeper report"),
        ((), {"GITHUB_SHA": "main"}, "GITHUB_SHA is 'main', not a commit of 40 or 64 hexadecimal digits"),
        ((), {"GITHUB_SHA": "a" * 41}, "GITHUB_SHA"),
    ],
)
def test_what_cannot_be_held_is_refused_before_anything_is_measured(
    gatekeeper: Command, pull_request: Path, words: tuple[str, ...], env: dict[str, str], says: str
) -> None:
    done = gatekeeper("run", "pipeline.yaml", *words, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (pull_request.parent / "gatekeeper-report").exists()


@pytest.mark.parametrize("command", ["run", "validate", "plan"])
def test_a_waiver_for_a_target_that_is_not_there_is_found_by_every_command(
    gatekeeper: Command, pull_request: Path, command: str
) -> None:
    (pull_request.parent / "gatekeeper-waivers.yml").write_text(WAIVERS.replace("target: here", "target: her"))
    done = gatekeeper(command, "pipeline.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "gatekeeper-waivers.yml:2:34: there is no target 'her'; did you mean 'here'?" in done.stderr


def test_validate_counts_the_waivers(gatekeeper: Command, pull_request: Path) -> None:
    (pull_request.parent / "gatekeeper-waivers.yml").write_text(WAIVERS.replace("9MB", "10MB"))
    done = gatekeeper("validate", "pipeline.yaml")
    assert done.returncode == 0, done.stderr
    assert "gatekeeper-waivers.yml: valid. 1 waiver." in done.stdout
