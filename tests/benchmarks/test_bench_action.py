"""What the action costs beside gatekeeper's own work: its installation and its publishing, cold and warm, under act."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kit.act_world import ACTION, World
from kit.github_api import StandIn
from kit.support import write_project

from gatekeeper.starting.workflows import gate_text

WARM, COLD = 5.0, 15.0


@pytest.mark.timeout(900)
def test_the_action_adds_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of the plan's and the verdict's action step, without what `gatekeeper` itself takes in them."""
    found: dict[str, dict[str, float]] = {}
    for state in ("cold", "warm"):
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        with StandIn() as api:
            world = World(tmp_path / state, api)
            write_project(world.repository, "int8_dynamic", "onnx_runtime")
            workflow = world.repository / ".github/workflows/gatekeeper.yml"
            workflow.parent.mkdir(parents=True)
            workflow.write_text(gate_text("pipeline.yaml", ACTION))
            run = world.act("pull_request", world.pull_request(world.commit()))
            assert run.code == 0, run.text
            found[state] = {name.rpartition("/")[2]: job.overhead_s for name, job in run.jobs.items()}
    print("\n| job | cold | warm |\n| --- | --- | --- |")
    for job in ("plan", "verdict"):
        print(f"| {job} | {found['cold'][job]:.1f} s | {found['warm'][job]:.1f} s |")
        assert found["cold"][job] < COLD and found["warm"][job] < WARM
    shutil.rmtree(tmp_path / "uv")
