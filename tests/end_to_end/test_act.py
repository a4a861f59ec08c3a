"""The workflows as a user's repository runs them: plan, matrix, fan-in, comment. act runs them, a stand-in is GitHub's API."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from act_world import ACTION, Run, World
from github_api import Account, StandIn, State
from support import write_project

from gatekeeper.workflows import comment_text, gate_text

pytestmark = pytest.mark.timeout(1200)

READ_ONLY = "ghs_a_token_of_a_run_from_a_fork"


@pytest.fixture
def api() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running
    assert running.violations == []


@pytest.fixture
def world(tmp_path: Path, api: StandIn) -> World:
    return World(tmp_path, api)


def small(world: World, **changes: str) -> str:
    """A small model, a pipeline file that its variants pass, and the workflow; the commit it is on."""
    file = write_project(world.repository, "int8_dynamic, fp16", "onnx_runtime")
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
    return {name.rpartition("/")[2]: job.result for name, job in run.jobs.items()}


def test_a_passing_pull_request_has_one_comment_that_later_pushes_edit(world: World, api: StandIn) -> None:
    base = small(world)
    run = world.act("pull_request", world.pull_request(base))
    assert run.code == 0, run.text
    assert results(run) == {"plan": "success", "here-onnx_runtime-1": "success", "verdict": "success"}
    [body] = api.bodies()
    assert "✅ gatekeeper: pass" in body.splitlines()[1] or "✅ gatekeeper: pass" in body
    assert "here" in body and "int8_dynamic" in body
    assert world.report()["verdict"] == "pass"
    assert world.report()["commit"] == world.git("rev-parse", "HEAD")
    assert sorted(p.name for p in (world.artifacts / "gatekeeper-report").iterdir()) >= ["junit.xml", "report.json"]
    edit(world.repository / "pipeline.yaml", **{"speedup: {min: 0.1}": "speedup: {min: 0.2}"})
    world.commit()
    again = world.act("pull_request", world.pull_request(base))
    assert again.code == 0, again.text
    [edited] = api.bodies()
    assert edited != body
    assert [r.method for r in api.requests if r.method in ("POST", "PATCH") and "comments" in r.path] == ["POST", "PATCH"]
