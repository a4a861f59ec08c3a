"""`gatekeeper report` on a report with alerts that were raised: they are judged again, and the checklist is made anew."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.measured import Made, measured
from kit.rehearsed import rehearsal
from kit.sample_reports import save
from kit.watched import watching

from gatekeeper.compliance.annex import NOT_SHOWN
from gatekeeper.compliance.checklist import ITEMS
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report, StageReport
from gatekeeper.stats.rehearsal import HEALTHY
from gatekeeper.verdicts.rehearsed import STAGING
from gatekeeper.verdicts.watched import MONITORING

Command = Callable[..., subprocess.CompletedProcess[str]]
LEGS = ["x86/onnx_runtime", "arm/onnx_runtime"]


def watched(leg: str, manifest: list[str]) -> Report:
    """A leg's report, with the alerts of what it would deploy."""
    report = measured(leg, {"int8": Made()}, manifest=manifest)
    stage = StageReport(
        stage=MONITORING, verdict=Verdict.PASS, reason="well", watched=[watching(report.targets[0].selected or "")]
    )
    return msgspec.structs.replace(report, stages=[*report.stages, stage])


def line(done: subprocess.CompletedProcess[str]) -> Any:
    return next(stage for stage in json.loads(done.stdout)["stages"] if stage["stage"] == MONITORING)


def test_alerts_pass_and_legs_keep_each_their_own(gatekeeper: Command, tmp_path: Path) -> None:
    paths = [save(tmp_path / str(i), watched(leg, LEGS)) for i, leg in enumerate(LEGS)]
    done = gatekeeper("report", *paths, "--format", "json")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert [each["variant"] for each in line(done)["watched"]] == [f"{leg}/int8" for leg in LEGS]


def first(stage: Any, name: str = "error_rate") -> Any:
    return next(each for each in stage["watched"][0]["alerts"] if each["alert"] == name)


EDITS: dict[str, tuple[Callable[[Any], Any], str, int]] = {
    "never fired": (lambda stage: first(stage).update(fired_s=None), "nobody was told", 1),
    "never arrived": (lambda stage: first(stage).update(arrived=0), "did not arrive", 4),
    "a false alarm": (lambda stage: first(stage).update(silent=False), "told on identical data", 1),
    "too few": (lambda stage: first(stage).update(seen=10), "silent on 10 observations, of which it needs 299", 4),
    "nothing seen": (lambda stage: first(stage, "absent").update(least=0, seen=0), "of which it needs 1", 4),
    "another fault": (lambda stage: first(stage).update(fault="killed"), "and errors raises it", 4),
    "no such alert": (lambda stage: first(stage).update(alert="mood"), "mood: its record holds the fault errors", 4),
    "one twice": (lambda stage: stage["watched"][0]["alerts"].append(first(stage)), "has an alert twice", 4),
    "none": (lambda stage: stage["watched"][0].update(alerts=[]), "holds no alert", 4),
    "gone": (lambda stage: stage.update(watched=[]), "holds no alert", 4),
    "another variant": (lambda stage: stage["watched"][0].update(variant="x86/onnx_runtime/other"), "another was watched", 4),
    "another file": (lambda stage: stage["watched"][0].update(artifact="b" * 64), "is not the one that passed", 4),
    "no digest": (lambda stage: stage["watched"][0].pop("artifact"), "is not the one that passed", 4),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_was_edited_does_not_pass(edit: str, gatekeeper: Command, tmp_path: Path) -> None:
    change, said, code = EDITS[edit]
    path = save(tmp_path, watched(LEGS[0], LEGS[:1]))
    report = json.loads(path.read_text())
    change(next(stage for stage in report["stages"] if stage["stage"] == MONITORING))
    path.write_text(json.dumps(report))
    done = gatekeeper("report", path, "--format", "json")
    assert done.returncode == code, done.stdout[-500:] + done.stderr
    assert said in line(done)["reason"], line(done)["reason"]


def test_the_checklist_is_made_anew_and_what_is_not_there_is_not_shown(gatekeeper: Command, tmp_path: Path) -> None:
    report = watched(LEGS[0], LEGS[:1])
    chosen = report.targets[0].selected or ""
    staged = StageReport(stage=STAGING, verdict=Verdict.PASS, reason="well", rehearsals=[rehearsal(chosen)])
    path = save(tmp_path, msgspec.structs.replace(report, stages=[*report.stages, staged]))
    lying = json.loads(path.read_text())
    lying["checklist"] = [{"phase": "after", "item": "all is well", "shown": "yes"}]
    path.write_text(json.dumps(lying))
    done = gatekeeper("report", path, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out/report.json").read_text())["checklist"]
    assert [(each["phase"], each["item"]) for each in rows] == [(phase, item) for phase, item, _ in ITEMS]
    shown = {each["item"]: each["shown"] for each in rows}
    assert "accuracy 1" in shown["accuracy is kept"] and shown["it is faster"].endswith(": pass")
    assert "blue_green, rehearsed at 100 requests/s" in shown["the new model comes beside the old one"]
    healthy = next(each for each in rehearsal(chosen).scenarios if each.name == HEALTHY)
    assert f"25 %, 50 %, 90 %, promote after {healthy.requests:,} requests" in shown["traffic is ramped"]
    assert (
        "rolled back on" in shown["rollback is automatic, and was seen"]
        and "errors" in shown["rollback is automatic, and was seen"]
    )
    assert "error_rate told 3.5 s after errors" in shown["alerts on degradation fire"]
    assert report.model.sha256[:12] in shown["lineage"]
    for item in ("drift of inputs and confidence", "who is called when nothing helps", "the rollout itself", "security tests"):
        assert shown[item] == NOT_SHOWN
    text = (tmp_path / "out/report.md").read_text()
    folded = re.search(r"<details><summary>Checklist of the deployment.*?</details>", text, re.DOTALL)
    assert folded and all(item in folded[0] for _, item, _ in ITEMS)


def test_there_is_no_checklist_where_nothing_is_deployed(gatekeeper: Command, tmp_path: Path) -> None:
    path = save(tmp_path, measured(LEGS[0], {"int8": Made()}, manifest=LEGS[:1]))
    done = gatekeeper("report", path, "--format", "json")
    assert json.loads(done.stdout)["checklist"] == []
    assert "Checklist" not in gatekeeper("report", path, "--format", "markdown").stdout
