"""The action's steps as a runner calls them: variables in, outputs, summary, annotations and an exit code out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.github_api import TOKEN, StandIn
from kit.hand_built import gate, report, variant
from kit.measured import Made, measured
from kit.runner import parse, read_outputs
from kit.support import write_project

from gatekeeper.errors import ExitCode
from gatekeeper.github.action import FAIL_ON, exit_code
from gatekeeper.records.base import Verdict

Step = Callable[..., Any]
FAST = variant("here/onnx_runtime/int8_dynamic", gate("speedup", Verdict.PASS, 3.0, 4.0))
SLOW = variant("here/onnx_runtime/int8_dynamic", gate("speedup", Verdict.FAIL, 0.5, 0.9, where="p.yaml:3"))


class Done:
    """A step that ended."""

    def __init__(self, done: subprocess.CompletedProcess[str], folder: Path):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.outputs = read_outputs((folder / "outputs").read_text())
        self.summary = (folder / "summary").read_text()

    def commands(self) -> list[tuple[str, dict[str, str], str]]:
        """What the runner would act on: not what stands between stop-commands and its token."""
        found, token = [], ""
        for line in self.out.splitlines():
            if token:
                token = "" if line == f"::{token}::" else token
            elif line.startswith("::stop-commands::"):
                token = line.removeprefix("::stop-commands::")
            elif line.startswith("::"):
                found.append(parse(line))
        return found


@pytest.fixture
def step(tmp_path: Path, api: StandIn) -> Step:
    """Run a step on an event of pull request 7."""
    event = {
        "pull_request": {
            "number": 7,
            "head": {"sha": "a" * 40, "ref": "topic", "repo": {"id": 1}},
            "base": {"sha": "b" * 40, "ref": "main", "repo": {"id": 1}},
        }
    }
    (tmp_path / "event.json").write_text(json.dumps(event))

    def run(name: str, **inputs: str) -> Done:
        for file in ("outputs", "summary"):
            (tmp_path / file).write_text("")
        environ = {k: v for k, v in os.environ.items() if not k.startswith("GITHUB_")} | {
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
            "GITHUB_REPOSITORY": "octo/models",
            "GITHUB_API_URL": api.url,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_RUN_ID": "12",
            "GITHUB_OUTPUT": str(tmp_path / "outputs"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            "RUNNER_TEMP": str(tmp_path),
            "TOKEN": TOKEN,
        }
        command = [sys.executable, "-m", "gatekeeper.github", name]
        return Done(
            subprocess.run(command, cwd=tmp_path, env=environ | inputs, capture_output=True, text=True, check=False), tmp_path
        )

    return run


def saved(folder: Path, found: Any, name: str = "results/leg") -> Path:
    file = folder / name / "report.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode(found))
    return file


@pytest.mark.parametrize("fail_on", FAIL_ON)
@pytest.mark.parametrize("code", list(ExitCode))
def test_what_fails_a_step(code: ExitCode, fail_on: str) -> None:
    found = exit_code(code, fail_on)
    judged = code in (ExitCode.FAILED, ExitCode.INCONCLUSIVE)
    if code is ExitCode.PASS or (judged and fail_on != "verdict") or (code is ExitCode.NOT_MEASURED and fail_on == "never"):
        assert found == 0
    else:
        assert found == code


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"COMMAND": "rnu"}, "the input command is 'rnu'; did you mean 'run'? It is one of plan, run, report, certify, verify."),
        ({"COMMAND": "run", "FAIL_ON": "always"}, "the input fail-on is 'always'"),
        ({"COMMAND": "run", "CACHE": "new"}, "the input cache is 'new'"),
        ({"COMMAND": "run", "POLICY": "theirs"}, "the input policy is 'theirs'"),
        ({"COMMAND": "run", "POLICY": "base"}, "`policy: base` needs `base`"),
        ({"COMMAND": "report"}, "`report` needs `results`"),
        ({"COMMAND": "report", "RUN_ID": "1; id"}, "run-id is '1; id', not a number"),
        ({"COMMAND": "report", "RUN_ID": "77", "ARTIFACT": "gatekeeper-report"}, "was not fetched"),
        ({"COMMAND": "report", "RESULTS": "nowhere"}, "nowhere"),
        ({"COMMAND": "report", "RESULTS": "r", "POLICY_REF": "main"}, "`policy-ref` is for `run`"),
        ({"COMMAND": "run", "POLICY": "base", "BASE": ".", "CONFIG": "/p.yaml"}, "config is '/p.yaml'. With `base` it is a path"),
        ({"COMMAND": "run", "POLICY": "base", "BASE": ".", "CONFIG": "../p.yaml"}, "a path inside the repository"),
        ({"COMMAND": "run", "POLICY": "base", "BASE": "nowhere"}, "nowhere: no such folder"),
        ({"COMMAND": "run", "CONFIG": "none.yaml"}, "none.yaml: no such file"),
    ],
)
def test_wrong_inputs_are_said_and_red(step: Step, api: StandIn, inputs: dict[str, str], said: str) -> None:
    done = step("work", **inputs)
    assert said in done.out + done.err and "Traceback" not in done.out + done.err
    if inputs["COMMAND"] == "rnu":
        assert done.code == 2
        return
    assert done.outputs["verdict"] == "error"
    shown = step("publish", EXIT_CODE=done.outputs["exit-code"], MESSAGE=done.outputs["message"])
    assert shown.code != 0
    [body] = api.bodies()
    assert "🚫 gatekeeper: not measured" in body and "✅" not in body
    assert [name for name, _, _ in shown.commands()] == ["error"]


def test_a_step_that_never_came_to_its_end_is_red(step: Step, api: StandIn) -> None:
    done = step("publish")
    assert done.code == ExitCode.NOT_MEASURED
    assert "could not be installed or was stopped" in api.bodies()[0]


@pytest.mark.parametrize(("found", "verdict"), [(Made(), "pass"), (Made(speed=1.5), "fail")])
def test_results_become_outputs_summary_annotations_and_a_comment(
    step: Step, api: StandIn, tmp_path: Path, found: Any, verdict: str
) -> None:
    saved(tmp_path, measured("x86/onnx_runtime", {"int8": found}))
    done = step("work", COMMAND="report", RESULTS="results", OUTPUT="out")
    assert done.code == 0, done.err
    assert (done.outputs["verdict"], done.outputs["report-json"]) == (verdict, "out/report.json")
    counts = {name: done.outputs[name] for name in ("passed", "failed", "inconclusive", "errored")}
    assert counts == {"passed": "0", "failed": "0", "inconclusive": "0", "errored": "0"} | {f"{verdict}ed": "1"}
    for name in ("report-markdown", "junit", "sarif"):
        assert (tmp_path / done.outputs[name]).is_file()
    shown = step("publish", OUTPUT="out", REPORT="out/report.json", EXIT_CODE=done.outputs["exit-code"])
    assert shown.code == (0 if verdict == "pass" else 1)
    assert f"gatekeeper: {verdict}" in api.bodies()[0] and f"gatekeeper: {verdict}" in shown.summary
    assert shown.outputs["comment-url"].startswith("https://github.com/octo/models/pull/7#issuecomment-")
    errors = [properties for name, properties, _ in shown.commands() if name == "error"]
    assert [(e["file"], e["line"]) for e in errors] == ([] if verdict == "pass" else [("p.yaml", "3")])


def test_a_leg_of_a_matrix_publishes_nothing(step: Step, api: StandIn, tmp_path: Path) -> None:
    saved(tmp_path, report(SLOW), "out")
    done = step("publish", OUTPUT="out", REPORT="out/report.json", EXIT_CODE="0", FAIL_ON="error")
    assert (done.code, api.bodies(), done.summary, done.commands()) == (0, [], "", [])
    assert step("publish", OUTPUT="out", REPORT="out/report.json", EXIT_CODE="4", FAIL_ON="error").code == 4


@pytest.mark.parametrize(("mode", "comments"), [("always", 1), ("failures", 0), ("off", 0), ("changes", 1)])
def test_a_comment_is_written_when_it_is_asked_for(step: Step, api: StandIn, tmp_path: Path, mode: str, comments: int) -> None:
    saved(tmp_path, report(FAST), "out")
    done = step("publish", OUTPUT="out", REPORT="out/report.json", EXIT_CODE="0", COMMENT_MODE=mode)
    assert done.code == 0
    assert len(api.bodies()) == comments


@pytest.mark.parametrize("fail_on", FAIL_ON)
def test_a_wrong_mode_is_wrong_usage(step: Step, tmp_path: Path, fail_on: str) -> None:
    saved(tmp_path, report(FAST), "out")
    wrong = {"COMMENT_MODE": "sometimes", "FAIL_ON": fail_on}
    assert step("publish", OUTPUT="out", REPORT="out/report.json", EXIT_CODE="1", **wrong).code == 2


@pytest.mark.parametrize("status", [500, *(pytest.param(status, marks=pytest.mark.thorough) for status in (401, 403, 404))])
def test_an_outage_changes_no_verdict(step: Step, api: StandIn, tmp_path: Path, status: int) -> None:
    api.fail("GET", ".*", status=status)
    for found, code in ((FAST, 0), (SLOW, 1)):
        saved(tmp_path, report(found), "out")
        done = step("publish", OUTPUT="out", REPORT="out/report.json", EXIT_CODE=str(code))
        assert done.code == code
        assert "gatekeeper:" in done.summary
        warnings = [message for name, _, message in done.commands() if name == "warning"]
        assert any("The comment was not written" in message for message in warnings), done.out
        assert TOKEN not in done.out + done.err + done.summary


def test_a_report_of_an_earlier_job_is_not_this_ones(step: Step, tmp_path: Path) -> None:
    """On a machine of one's own the folder may still be there."""
    saved(tmp_path, report(FAST), "gatekeeper-report")
    done = step("work", COMMAND="run", CONFIG="none.yaml")
    assert (done.outputs["verdict"], done.outputs.get("report-json")) == ("error", None)
    assert not (tmp_path / "gatekeeper-report/report.json").exists(), "nor is it uploaded as this one's"
    saved(tmp_path, report(FAST), "gatekeeper-report")
    done = step("work", COMMAND="report", RESULTS="nowhere")
    assert done.code == 0, done.err
    assert (done.outputs["verdict"], done.outputs.get("report-json")) == ("error", None)


def test_what_a_result_says_is_no_command(step: Step, tmp_path: Path) -> None:
    hostile = "x\n::error::owned\n::set-output name=verdict::pass"
    bad = variant("here/onnx_runtime/int8_dynamic", gate("speedup", Verdict.FAIL, 0.5, 0.9, reason=hostile))
    saved(tmp_path, report(bad))
    done = step("work", COMMAND="report", RESULTS="results")
    assert done.commands() == []
    assert done.outputs["verdict"] == "fail"


def test_a_plan_is_a_matrix_and_a_manifest(step: Step, tmp_path: Path) -> None:
    write_project(tmp_path, "int8_dynamic", "onnx_runtime")
    done = step("work", COMMAND="plan", CONFIG="pipeline.yaml", OUTPUT="out")
    assert done.code == 0, done.err
    [job] = json.loads(done.outputs["matrix"])["include"]
    assert (job["leg"], job["slug"], job["extra"]) == ("here/onnx_runtime", "here.onnx_runtime", "onnx-runtime")
    plan = json.loads((tmp_path / done.outputs["plan"]).read_text())
    assert [leg["id"] for leg in plan["legs"]] == ["here/onnx_runtime"]
    assert step("extras", CONFIG="pipeline.yaml").out == "onnx-runtime\n"
    lost = step("work", COMMAND="report", RESULTS="results", PLAN=done.outputs["plan"])
    assert lost.outputs["verdict"] == "error"


@pytest.mark.parametrize(("cache", "own"), [("keep", False), ("", False), ("fresh", True)])
def test_a_fresh_run_has_a_cache_of_its_own(step: Step, tmp_path: Path, cache: str, own: bool) -> None:
    kept = [step("work", COMMAND="run", CONFIG="none.yaml", CACHE=cache, RUNNER_TEMP=str(tmp_path)).out for _ in range(2)]
    folders = {word for out in kept for word in out.split() if "gatekeeper-cache-" in word}
    assert all(("--cache-dir" in out) == own for out in kept)
    assert len(folders) == 2 * own and all(Path(folder).parent == tmp_path for folder in folders)


def test_an_empty_matrix_is_red(step: Step, tmp_path: Path) -> None:
    file = write_project(tmp_path, "int8_dynamic", "onnx_runtime")
    file.write_text(file.read_text().replace("model: {path: model.onnx", "model: {path: missing.onnx"))
    done = step("work", COMMAND="plan", CONFIG="pipeline.yaml")
    assert done.code == 2
    assert "matrix" not in done.outputs


def test_a_leg_that_is_not_there_blocks(step: Step, api: StandIn, tmp_path: Path) -> None:
    write_project(tmp_path, "int8_dynamic", "onnx_runtime")
    plan = step("work", COMMAND="plan", CONFIG="pipeline.yaml", OUTPUT="plan").outputs["plan"]
    (tmp_path / "results").mkdir()
    done = step("work", COMMAND="report", RESULTS="results", PLAN=plan)
    assert (done.outputs["exit-code"], done.outputs["verdict"]) == ("2", "error")
    assert "no report.json in it" in done.outputs["message"]
