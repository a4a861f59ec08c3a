"""`gatekeeper report` on a report with a rehearsed rollout: it is judged again, whatever the report says of it."""

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
from gatekeeper.verdicts.rehearsed import STAGING

Command = Callable[..., subprocess.CompletedProcess[str]]
LEGS = ["x86/onnx_runtime", "arm/onnx_runtime"]


def staged(leg: str, manifest: list[str], variant: str = "", made: Made | None = None) -> Report:
    """A leg's report, with the rehearsal of what it would deploy."""
    report = measured(leg, {"int8": made or Made()}, manifest=manifest)
    chosen = report.targets[0].selected
    if chosen is None:
        stage = StageReport(stage=STAGING, verdict=Verdict.SKIP, reason="no variant passed")
    else:
        stage = StageReport(stage=STAGING, verdict=Verdict.PASS, reason="well", rehearsals=[rehearsal(variant or chosen)])
    return msgspec.structs.replace(report, stages=[*report.stages, stage])


def line(done: subprocess.CompletedProcess[str]) -> Any:
    return next(stage for stage in json.loads(done.stdout)["stages"] if stage["stage"] == STAGING)


def test_a_rehearsed_rollout_passes_and_legs_keep_each_its_own(gatekeeper: Command, tmp_path: Path) -> None:
    paths = [save(tmp_path / str(i), staged(leg, LEGS)) for i, leg in enumerate(LEGS)]
    done = gatekeeper("report", *paths, "--format", "json")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert [each["variant"] for each in line(done)["rehearsals"]] == [f"{leg}/int8" for leg in LEGS]


def edit_ruling(stage: Any) -> None:
    healthy = next(each for each in stage["rehearsals"][0]["scenarios"] if each["name"] == "healthy")
    healthy["windows"] = healthy["windows"][:3]


def edit_arrived(stage: Any) -> None:
    stage["rehearsals"][0]["scenarios"][0]["arrived"] = 0


def edit_lost(stage: Any) -> None:
    for each in stage["rehearsals"][0]["scenarios"]:
        if each["name"] == "sigterm":
            each["lost"] = 2


def edit_variant(stage: Any) -> None:
    stage["rehearsals"][0]["variant"] = "x86/onnx_runtime/other"


def edit_file(stage: Any) -> None:
    stage["rehearsals"][0]["artifact"] = "b" * 64


def edit_seen(stage: Any) -> None:
    for each in stage["rehearsals"][0]["scenarios"]:
        if each["name"] != "healthy":
            each.update(windows=[], ruling={"decision": "hold"}, arrived=1, must=["hold"], lost=0, requests=10)


def edit_away(stage: Any) -> None:
    stage["rehearsals"] = []


@pytest.mark.parametrize(
    ("edit", "said", "code"),
    [
        (edit_ruling, "what was seen of it says hold", 4),
        (edit_arrived, "did not arrive", 4),
        (edit_lost, "lost_requests: sigterm lost 2", 1),
        (edit_variant, "another was rehearsed", 4),
        (edit_file, "the file that was rehearsed or deployed is not the one that passed", 4),
        (edit_seen, "did not arrive", 4),
        (edit_away, "holds no rehearsal", 4),
    ],
)
def test_what_was_edited_does_not_pass(
    edit: Callable[[Any], None], said: str, code: int, gatekeeper: Command, tmp_path: Path
) -> None:
    path = save(tmp_path, staged(LEGS[0], LEGS[:1]))
    report = json.loads(path.read_text())
    edit(next(stage for stage in report["stages"] if stage["stage"] == STAGING))
    path.write_text(json.dumps(report))
    done = gatekeeper("report", path, "--format", "json")
    assert done.returncode == code, done.stdout[-500:] + done.stderr
    assert said in line(done)["reason"], line(done)["reason"]


def test_numbers_that_no_run_counts_are_refused(gatekeeper: Command, tmp_path: Path) -> None:
    path = save(tmp_path, staged(LEGS[0], LEGS[:1]))
    report = json.loads(path.read_text())
    stage = next(stage for stage in report["stages"] if stage["stage"] == STAGING)
    for bad in (-1, 1.5, "NaN", None):
        stage["rehearsals"][0]["scenarios"][0]["windows"][0][2] = [bad, 0, 0]
        path.write_text(json.dumps(report))
        done = gatekeeper("report", path)
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
