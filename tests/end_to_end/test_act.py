"""The workflows as a user's repository runs them: plan, matrix, fan-in, comment. act runs them, a stand-in is GitHub's API."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.act_world import ACTION, Run, World, index
from kit.github_api import FORK_ID, Account, StandIn
from kit.hand_built import gate, variant
from kit.hand_built import report as hand_built
from kit.support import write_project

from gatekeeper.github.comment import marker
from gatekeeper.records.base import Verdict
from gatekeeper.starting.workflows import comment_text, gate_text

pytestmark = pytest.mark.timeout(1200)

READ_ONLY = "ghs_a_token_of_a_run_from_a_fork"


@pytest.fixture(scope="module", autouse=True)
def package_index() -> None:
    if reason := index():
        pytest.skip(f"uv cannot reach a package index: {reason}")


@pytest.fixture
def world(tmp_path: Path, api: StandIn) -> World:
    return World(tmp_path, api)


def small(world: World, timed: bool = True, **changes: str) -> str:
    """A small model, a pipeline file that its variants pass, and the workflow; the commit it is on."""
    file = write_project(world.repository, "int8_dynamic", "onnx_runtime", timed=timed)
    edit(file, **{"name: here, hardware: cpu": "name: here, hardware: cpu, runs_on: [self-hosted, edge-box]", **changes})
    workflow(world, gate_text("pipeline.yaml", ACTION))
    return world.commit()


def edit(file: Path, **changes: str) -> None:
    text = file.read_text()
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    file.write_text(text)


def workflow(world: World, text: str, name: str = "gatekeeper.yml") -> None:
    file = world.repository / ".github/workflows" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def results(run: Run) -> dict[str, str]:
    """Result of each job, by its name in gate.yml."""
    known = ("/plan", "/verdict", "here/onnx_runtime", "here/openvino", "/comment")  # act adds a number to a leg's
    return {next((k for k in known if k in name), name): job.result for name, job in run.jobs.items()}


def test_a_passing_pull_request_has_one_comment(world: World, api: StandIn) -> None:
    passed(world, api)


@pytest.mark.thorough
def test_a_later_push_edits_the_comment(world: World, api: StandIn) -> None:
    """As tests/github/test_github_comment.py shows in moments, here through both runs of the workflow."""
    base, body = passed(world, api)
    edit(world.repository / "pipeline.yaml", **{"speedup: disabled": "speedup: disabled, package_size: {max: 1MB}"})
    world.commit()
    again = world.act("pull_request", world.pull_request(base))
    assert again.code == 0, again.text
    [edited] = api.bodies()
    assert edited != body
    assert [r.method for r in api.requests if r.method in ("POST", "PATCH") and "comments" in r.path] == ["POST", "PATCH"]


def passed(world: World, api: StandIn) -> tuple[str, str]:
    """A pull request whose two legs pass: the commit it is on, and its comment."""
    both = "frameworks: [onnx_runtime, openvino], techniques: {openvino: [int8_weight_only], "
    base = small(world, timed=False, **{"frameworks: [onnx_runtime], techniques: {": both})
    run = world.act("pull_request", world.pull_request(base))
    assert run.code == 0, run.text
    assert results(run) == dict.fromkeys(("/plan", "here/onnx_runtime", "here/openvino", "/verdict"), "success")
    [body] = api.bodies()
    assert body.splitlines()[1] == "## ✅ gatekeeper: pass"
    assert "int8_dynamic" in body and "openvino/int8_weight_only" in body
    assert world.report()["verdict"] == "pass"
    assert world.report()["commit"] == world.git("rev-parse", "HEAD")
    assert sorted(p.name for p in (world.artifacts / "gatekeeper-report").iterdir()) >= ["junit.xml", "report.json"]
    assert [r.method for r in api.requests if r.method in ("POST", "PATCH") and "comments" in r.path] == ["POST"]
    return base, body


@pytest.mark.thorough
def test_a_leg_whose_artifact_is_gone_is_red(world: World, api: StandIn) -> None:
    base = small(world)
    run = world.act("pull_request", world.pull_request(base), STUB_LOSES="gatekeeper-leg-here.onnx_runtime")
    assert results(run) == {"/plan": "success", "here/onnx_runtime": "success", "/verdict": "failure"}
    [body] = api.bodies()
    assert "🚫 gatekeeper: not measured" in body


@pytest.mark.thorough
def test_a_plan_that_fails_is_red_and_takes_the_old_verdict_away(world: World, api: StandIn) -> None:
    base = small(world)
    api.comment(f"{marker('gatekeeper')}\n## ✅ gatekeeper: pass")
    edit(world.repository / "pipeline.yaml", onnx_runtime="onxx_runtime")
    world.commit()
    run = world.act("pull_request", world.pull_request(base))
    assert results(run)["/verdict"] == results(run)["/plan"] == "failure"
    [body] = api.bodies()
    assert "🚫 gatekeeper: not measured" in body and "✅" not in body


@pytest.mark.thorough
@pytest.mark.parametrize("limit", ["0.1", "500"])
def test_a_fork_gets_its_verdict_without_a_write(world: World, api: StandIn, limit: str) -> None:
    api.state.accounts[READ_ONLY] = Account(writes=False)
    base = small(world, **{"speedup: {min: 0.01}": f"speedup: {{min: {limit}}}"})
    run = world.act("pull_request", world.pull_request(base, fork=True), token=READ_ONLY)
    assert results(run)["/verdict"] == ("success" if limit == "0.1" else "failure")
    assert api.bodies() == []
    assert run.said("::warning title=gatekeeper.*comment was not written")


def comment_run(world: World, sha: str, number: int, conclusion: str = "success") -> dict[str, Any]:
    """The payload of the event that follows a fork's run."""
    own = world.pull_request(sha)["repository"]
    run = {
        "id": number,
        "event": "pull_request",
        "head_sha": sha,
        "head_branch": "topic",
        "conclusion": conclusion,
        "head_repository": {"full_name": "stranger/models", "owner": {"login": "stranger"}},
    }
    return {"action": "completed", "workflow_run": run, "repository": own}


def archive(report: dict[str, Any]) -> bytes:
    """What GitHub serves of an artifact."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("report.json", json.dumps(report))
    return packed.getvalue()


def test_a_second_workflow_comments_for_the_fork_and_believes_nothing(world: World, api: StandIn) -> None:
    small(world)
    workflow(world, comment_text(ACTION), "gatekeeper-comment.yml")
    head = world.commit()
    passing = variant("here/onnx_runtime/int8_dynamic", gate("speedup", Verdict.PASS, 3.0, 4.0))
    report = msgspec.to_builtins(hand_built(passing))
    report["targets"][0]["variants"][0]["reason"] = report["reproduce"] = "<img src=x> @octo ::error::owned"
    api.pull(7, branch="topic", sha=head, owner="stranger")
    number = api.run(event="pull_request", branch="topic", sha=head, repository_id=FORK_ID)
    api.artifact(number, archive(report))
    run = world.act("workflow_run", comment_run(world, head, number), "gatekeeper-comment.yml")
    assert run.code == 0, run.text
    [body] = api.bodies()
    assert "✅ gatekeeper: pass" in body
    assert "<img" not in body.replace("`<img", "") or "```" in body
    assert not run.said("^::error::owned")
    # a report that claims more than its run
    run = world.act("workflow_run", comment_run(world, head, number, "failure"), "gatekeeper-comment.yml")
    [body] = api.bodies()
    assert "✅" not in body and "ended in" in body


@pytest.mark.thorough
def test_a_pull_request_is_compared_with_its_base_and_held_to_its_limits(world: World, api: StandIn) -> None:
    """It cannot weaken its own gate: the base's limit applies, and the comment says that it was loosened."""
    base = small(world, **{"speedup: {min: 0.01}": "speedup: {min: 500}"})
    pushed = {"ref": "refs/heads/main", "repository": world.pull_request(base)["repository"]}
    run = world.act("push", pushed)
    assert results(run)["/verdict"] == "failure"
    api.artifact(api.run(sha=base), archive(world.report()))
    edit(world.repository / "pipeline.yaml", **{"speedup: {min: 500}": "speedup: {min: 0.01}"})
    world.commit()
    run = world.act("pull_request", world.pull_request(base))
    assert results(run)["/verdict"] == "failure"
    [body] = api.bodies()
    assert "❌ gatekeeper: fail" in body
    assert "500.0 in the policy, 0.1 here" in body
    assert "since base" in body
    assert world.report()["base"]["verdict"] == "fail"


WAIVER = """\
waivers:
  - {gate: speedup, target: here, ceiling: 0.01, reason: a slow quarter, owner: edge-team, expires: 2999-01-01}
"""


@pytest.mark.thorough
def test_a_failing_pull_request_is_red_unless_the_base_branch_waives_it(world: World, api: StandIn) -> None:
    base = small(world, **{"speedup: {min: 0.01}": "speedup: {min: 500}"})
    (world.repository / "gatekeeper-waivers.yml").write_text(WAIVER)
    with_waiver = world.commit()
    run = world.act("pull_request", world.pull_request(base))
    # the leg could measure, so it is green: the verdict alone is red
    assert results(run) == {"/plan": "success", "here/onnx_runtime": "success", "/verdict": "failure"}
    [body] = api.bodies()
    assert "❌ gatekeeper: fail" in body and "waived" not in body
    assert run.said(r"::error file=pipeline\.yaml,line=\d+,"), "the gate is annotated on its line"
    run = world.act("pull_request", world.pull_request(with_waiver))
    assert results(run)["/verdict"] == "success", run.text
    assert "waived until 2999" in api.bodies()[0].replace("\u2060", "")


@pytest.mark.thorough
def test_a_new_users_way_is_three_commands_and_a_slow_model_is_red(
    world: World, api: StandIn, example: Callable[[str], Path]
) -> None:
    """An empty repository, a model and its data: init, commit, push. Then a second pipeline file, with its own comment."""
    made = example("digits-mlp")
    for name in ("model.onnx", "eval.npz", "calib.npz"):
        shutil.copy2(made / name, world.repository / name)
    init = [sys.executable, "-m", "gatekeeper", "init", "--action", ACTION]
    done = subprocess.run(init, cwd=world.repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    base = world.commit()
    run = world.act("pull_request", world.pull_request(base))
    [body] = api.bodies()
    assert "int8_dynamic" in body and "edge-cpu" in body
    assert ("✅ gatekeeper: pass" in body) == (run.code == 0)
    assert world.report()["verdict"] in ("pass", "inconclusive")  # a busy machine may not know

    folder = world.repository / "digits-cnn"
    shutil.copytree(example("digits-cnn"), folder, ignore=shutil.ignore_patterns("gatekeeper-report", "*.py"))
    text = gate_text("digits-cnn/edge_ai_pipeline.yaml", ACTION).replace("    with:\n", "    with:\n      name: digits-cnn\n")
    workflow(world, text, "digits-cnn.yml")
    world.commit()
    failing = world.act("pull_request", world.pull_request(base), "digits-cnn.yml")
    first, second = api.bodies()
    assert first == body and "gatekeeper:digits-cnn" in second
    assert results(failing)["/verdict"] == "failure" and "❌ gatekeeper: fail" in second
