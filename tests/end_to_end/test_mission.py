"""examples/mission: the workflow's own text, word for word, through all six stages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from kit.command import Command
from kit.haproxy import needs_haproxy
from kit.prometheus import program
from kit.support import MISSION, REPOSITORY

FILE = REPOSITORY / "examples/mission/edge_ai_pipeline.yaml"


def test_it_is_the_workflows_own_text_and_adds_only_what_that_says_nothing_of() -> None:
    written = FILE.read_text()
    assert MISSION in written
    added = yaml.safe_load(written)["edge_ai_pipeline"].keys() - yaml.safe_load(MISSION)["edge_ai_pipeline"].keys()
    assert added == {"model", "dataset", "targets", "gates", "measure"}


@pytest.mark.thorough
@pytest.mark.serial
@pytest.mark.timeout(0)
@needs_haproxy
def test_all_six_stages_run_and_none_cannot(example: Callable[[str], Path], gatekeeper: Command, tmp_path: Path) -> None:
    for name in ("prometheus", "amtool"):
        program(name)
    trained = example("tiny-llm")
    shutil.copytree(FILE.parent, trained.parent / "mission", dirs_exist_ok=True)
    gatekeeper("run", trained.parent / "mission/edge_ai_pipeline.yaml", "--output", tmp_path / "report")
    report = json.loads((tmp_path / "report/report.json").read_text())
    lines = {stage["stage"]: stage for stage in report["stages"]}
    assert list(lines) == yaml.safe_load(MISSION)["edge_ai_pipeline"]["stages"]
    assert not any("cannot run" in stage["reason"] for stage in lines.values()), lines
    assert not any(stage["blocked_by"] for stage in lines.values()), lines
    assert lines["staging_deployment"]["rehearsals"] and lines["monitoring"]["watched"]
    assert {each["phase"] for each in report["checklist"]} == {"before", "during", "after"}
    print(*(f"{name}: {stage['verdict']}: {stage['reason']}" for name, stage in lines.items()), sep="\n")
