"""`gatekeeper report` on a report whose rollout was rehearsed for production: by its own ramp, or staging's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.measured import Made, measured
from kit.rehearsed import rehearsal
from kit.sample_reports import save

from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report, StageReport
from gatekeeper.records.rollout import Production, Rehearsal
from gatekeeper.stats.rehearsal import HEALTHY
from gatekeeper.verdicts.rehearsed import PRODUCTION, STAGING

Command = Callable[..., subprocess.CompletedProcess[str]]
LEGS = ["x86/onnx_runtime", "arm/onnx_runtime"]


def healthy(variant: str) -> Rehearsal:
    whole = rehearsal(variant)
    return msgspec.structs.replace(whole, scenarios=[each for each in whole.scenarios if each.name == HEALTHY])


def live(leg: str, manifest: list[str], staged: bool) -> Report:
    """A leg's report; with `staged` its rollout was rehearsed by the stage before."""
    report = measured(leg, {"int8": Made()}, manifest=manifest)
    chosen = report.targets[0].selected
    assert chosen
    done = Production(
        variant=chosen,
        outcome="rehearsed",
        strategy="blue_green",
        ramping="gradual",
        rollback="automatic",
        rehearsal=None if staged else healthy(chosen),
    )
    before = [StageReport(stage=STAGING, verdict=Verdict.PASS, rehearsals=[rehearsal(chosen)])] if staged else []
    stage = StageReport(stage=PRODUCTION, verdict=Verdict.PASS, reason="well", production=[done])
    return msgspec.structs.replace(report, stages=[*report.stages, *before, stage])


def stage_of(report: Any, name: str = PRODUCTION) -> Any:
    return next(stage for stage in report["stages"] if stage["stage"] == name)


@pytest.mark.parametrize("staged", [False, True])
def test_legs_keep_each_its_own_and_say_that_nothing_was_deployed(staged: bool, gatekeeper: Command, tmp_path: Path) -> None:
    paths = [save(tmp_path / str(i), live(leg, LEGS, staged)) for i, leg in enumerate(LEGS)]
    done = gatekeeper("report", *paths, "--format", "json", "--output", tmp_path / "merged")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    line = stage_of(json.loads(done.stdout))
    assert [each["variant"] for each in line["production"]] == [f"{leg}/int8" for leg in LEGS]
    assert {each["outcome"] for each in line["production"]} == {"rehearsed"}
    again = gatekeeper("report", tmp_path / "merged/report.json", "--format", "json")
    assert again.returncode == 0 and stage_of(json.loads(again.stdout))["verdict"] == "pass", again.stdout[-2000:]


def edit_ramp(report: Any) -> None:
    scenario = stage_of(report)["production"][0]["rehearsal"]["scenarios"][0]
    scenario["windows"] = scenario["windows"][:3]


def edit_lost(report: Any) -> None:
    stage_of(report)["production"][0]["rehearsal"]["scenarios"][0]["lost"] = 1


def edit_variant(report: Any) -> None:
    done = stage_of(report)["production"][0]
    done["variant"] = done["rehearsal"]["variant"] = "x86/onnx_runtime/other"


def edit_whose(report: Any) -> None:
    stage_of(report)["production"][0]["rehearsal"]["variant"] = "x86/onnx_runtime/other"


def edit_reference(report: Any) -> None:
    stage_of(report)["production"][0]["rehearsal"] = None


def edit_away(report: Any) -> None:
    stage_of(report)["production"] = []


def edit_limits(report: Any) -> None:
    stage_of(report)["production"][0]["rehearsal"]["limits"]["error_rate"] = 0.5


@pytest.mark.parametrize(
    ("edit", "said", "code"),
    [
        (edit_ramp, "what was seen of it says hold", 4),
        (edit_lost, "lost_requests: healthy lost 1", 1),
        (edit_variant, "another was rehearsed", 4),
        (edit_whose, "holds the ramp of x86/onnx_runtime/other", 4),
        (edit_reference, "the report has no such rehearsal", 4),
        (edit_away, "holds no rollout", 4),
        (edit_limits, "error_rate may be 0.5", 4),
    ],
)
def test_what_was_edited_does_not_pass(
    edit: Callable[[Any], None], said: str, code: int, gatekeeper: Command, tmp_path: Path
) -> None:
    path = save(tmp_path, live(LEGS[0], LEGS[:1], staged=False))
    report = json.loads(path.read_text())
    edit(report)
    path.write_text(json.dumps(report))
    done = gatekeeper("report", path, "--format", "json")
    assert done.returncode == code, done.stdout[-500:] + done.stderr
    assert said in stage_of(json.loads(done.stdout))["reason"]


def test_a_ramp_that_staging_edited_does_not_pass_either(gatekeeper: Command, tmp_path: Path) -> None:
    path = save(tmp_path, live(LEGS[0], LEGS[:1], staged=True))
    report = json.loads(path.read_text())
    ramp = next(each for each in stage_of(report, STAGING)["rehearsals"][0]["scenarios"] if each["name"] == HEALTHY)
    ramp["windows"] = ramp["windows"][:3]
    path.write_text(json.dumps(report))
    done = gatekeeper("report", path, "--format", "json")
    assert done.returncode == 4 and stage_of(json.loads(done.stdout))["verdict"] == "error"


def test_a_report_cannot_say_that_something_was_deployed(gatekeeper: Command, tmp_path: Path) -> None:
    path = save(tmp_path, live(LEGS[0], LEGS[:1], staged=False))
    path.write_text(path.read_text().replace('"rehearsed"', '"deployed"'))
    done = gatekeeper("report", path)
    assert done.returncode == 4 and "holds no rollout among users" in done.stdout, done.stdout + done.stderr
