"""`gatekeeper report` with waivers, a policy, a base report and a commit, as the gate job of a pull request calls it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.hand_built import gate, report, variant
from kit.measured import Made, measured

from gatekeeper.models.files import digest
from gatekeeper.planning.plan import Plan, PlannedLeg
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Waiver
from gatekeeper.records.report import Report
from gatekeeper.reports._base import reporter

Command = Callable[..., subprocess.CompletedProcess[str]]
LEGS = ["x86/onnx_runtime", "arm/onnx_runtime"]
SHA = "a" * 40
WAIVERS = """\
waivers:
  - {gate: speedup, target: x86, ceiling: 1.5, reason: soon, owner: someone, expires: 2099-12-31}
"""


def leg(name: str, verdict: Verdict = Verdict.PASS, lower: float = 2.5, **more: Any) -> Report:
    """Its speed is bounded below by about `lower`."""
    found = measured(name, {"int8": Made(speed=lower + 0.05)}, **({"manifest": LEGS} | more))
    assert found.verdict is verdict
    return found


def save(folder: Path, *reports: Report) -> Path:
    for index, each in enumerate(reports):
        (folder / str(index)).mkdir(parents=True)
        (folder / str(index) / "report.json").write_text(reporter("json").render(each), "utf-8")
    return folder


def slow_and_fast(folder: Path, **more: Any) -> Path:
    return save(folder, leg(LEGS[0], Verdict.FAIL, 1.6, **more), leg(LEGS[1], **more))


def plan(path: Path, legs: Sequence[str] = LEGS, **more: Any) -> Path:
    found = [
        PlannedLeg(
            id=each, target=each.partition("/")[0], hardware="cpu", framework="onnx_runtime", extra="", runs_on="x", variants=[]
        )
        for each in legs
    ]
    path.write_bytes(
        msgspec.json.encode(Plan(schema="gatekeeper/plan/v1", pipeline="p.yaml", pipeline_sha256="p" * 64, legs=found, **more))
    )
    return path


def refused(done: subprocess.CompletedProcess[str], says: str) -> None:
    assert (done.returncode, done.stdout) == (2, ""), done
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_only_the_waivers_that_are_named_count(gatekeeper: Command, tmp_path: Path) -> None:
    results, waivers = slow_and_fast(tmp_path / "r"), tmp_path / "gatekeeper-waivers.yml"
    waivers.write_text(WAIVERS)
    assert gatekeeper("report", results).returncode == 1
    done = gatekeeper("report", results, "--waivers", waivers, "--format", "json", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    [failed] = [g for t in found["targets"] for v in t["variants"] for g in v["gates"] if g["verdict"] == "fail"]
    assert failed["waiver"]["where"] == f"{waivers}:2"
    assert failed["blocking"] is False
    assert gatekeeper("report", tmp_path / "out").returncode == 1, "a merged report's own waivers are not believed either"


def test_a_waiver_inside_a_result_is_not_believed(gatekeeper: Command, tmp_path: Path) -> None:
    forged = Waiver(ceiling=0.0, reason="mine", owner="me", expires="2099-01-01")
    slow = leg(LEGS[0], Verdict.FAIL, 0.5)
    [target] = slow.targets
    [own] = target.variants
    gates = [msgspec.structs.replace(g, waiver=forged, blocking=False) if g.verdict is Verdict.FAIL else g for g in own.gates]
    own = msgspec.structs.replace(own, gates=gates, verdict=Verdict.PASS)
    slow = msgspec.structs.replace(slow, targets=[msgspec.structs.replace(target, variants=[own])])
    results = save(tmp_path / "r", slow, leg(LEGS[1]))
    assert gatekeeper("report", results).returncode == 1
    (tmp_path / "w.yml").write_text("waivers: []\n")
    assert gatekeeper("report", results, "--waivers", tmp_path / "w.yml").returncode == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (WAIVERS.replace("speedup", "sped"), "gatekeeper-waivers.yml:2:12: waivers[0].gate is 'sped'; did you mean 'speedup'?"),
        ("", "gatekeeper-waivers.yml:1:1: the file is empty"),
        (None, "gatekeeper-waivers.yml: no such file"),
    ],
)
def test_waivers_that_cannot_be_read(gatekeeper: Command, tmp_path: Path, content: str | None, says: str) -> None:
    if content is not None:
        (tmp_path / "gatekeeper-waivers.yml").write_text(content)
    refused(gatekeeper("report", slow_and_fast(tmp_path / "r"), "--waivers", "gatekeeper-waivers.yml"), says)


def test_every_result_must_have_been_held_to_the_policy(gatekeeper: Command, tmp_path: Path) -> None:
    policy = tmp_path / "base.yaml"
    policy.write_text("edge_ai_pipeline: {gates: {speedup: {min: 2}}}\n")
    held = {"policy": "main at 0123456789ab", "policy_sha256": digest(policy)}
    results = save(tmp_path / "r", *(leg(name, **held) for name in LEGS))
    assert gatekeeper("report", results, "--policy", policy).returncode == 0
    assert gatekeeper("report", results).returncode == 0
    own = save(tmp_path / "own", *(leg(name) for name in LEGS))
    refused(gatekeeper("report", own, "--policy", policy), "held to their own pipeline file's limits only, not to this")
    policy.write_text("edge_ai_pipeline: {gates: {speedup: {min: 3}}}\n")
    refused(gatekeeper("report", results, "--policy", policy), "held to main at 0123456789ab (")
    refused(gatekeeper("report", results, "--policy", "none.yaml"), "none.yaml: no such file")


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"policy": "main at 1", "policy_sha256": "1" * 64, "commit": SHA}, "judged by different policies (the file's own"),
        ({"commit": "b" * 40}, f"different commits ({SHA[:12]} and {'b' * 12})"),
        ({}, f"different commits ({SHA[:12]} and none is stated; set GITHUB_SHA)"),
        ({"model": "n" * 64, "commit": SHA}, "different models"),
    ],
)  # fmt: skip
def test_results_that_do_not_belong_together(gatekeeper: Command, tmp_path: Path, other: dict[str, str], says: str) -> None:
    refused(gatekeeper("report", save(tmp_path / "r", leg(LEGS[0], commit=SHA), leg(LEGS[1], **other))), says)


def test_a_plan_of_another_commit(gatekeeper: Command, tmp_path: Path) -> None:
    results = save(tmp_path / "r", *(leg(name, commit=SHA) for name in LEGS))
    assert gatekeeper("report", results, "--plan", plan(tmp_path / "a", commit=SHA)).returncode == 0
    assert gatekeeper("report", results, "--plan", plan(tmp_path / "b")).returncode == 0
    refused(
        gatekeeper("report", results, "--plan", plan(tmp_path / "c", commit="b" * 40)), "made from another commit (bbbbbbbbbbbb)"
    )


def test_a_plan_of_some_legs_is_enough_and_is_said(gatekeeper: Command, tmp_path: Path) -> None:
    results = save(tmp_path / "r", leg(LEGS[0]))
    assert gatekeeper("report", results).returncode == 4
    done = gatekeeper("report", results, "--plan", plan(tmp_path / "plan", LEGS[:1]), "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [target["name"] for target in found["targets"]] == ["x86"]
    assert found["notes"] == ["the plan holds 1 of the 2 legs of the pipeline file, without arm/onnx_runtime"]


def test_the_base_report_is_beside_each_gate(gatekeeper: Command, tmp_path: Path) -> None:
    own = report(*leg(LEGS[0], lower=3.5).targets[0].variants, commit="b" * 40)
    base = save(tmp_path / "base", own) / "0" / "report.json"
    results = slow_and_fast(tmp_path / "r")
    done = gatekeeper("report", results, "--baseline-report", base, "--format", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    speed = {gate["gate"]: gate for gate in found["targets"][0]["variants"][0]["gates"]}["speedup"]
    assert speed["before"]["lower"] == next(g.lower for g in own.targets[0].variants[0].gates if g.gate == "speedup")
    assert (found["base"]["commit"], found["base"]["verdict"], found["base"]["changed"]) == ("b" * 40, "pass", True)
    assert found["base"]["new"] == ["arm/onnx_runtime/int8"]


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": "gatekeeper/report/v1", "verd', None])
def test_a_base_report_that_is_none(gatekeeper: Command, tmp_path: Path, content: bytes | None) -> None:
    base = tmp_path / "base.json"
    if content is not None:
        base.write_bytes(content)
    says = "not a gatekeeper report" if content is not None else "cannot be read"
    refused(gatekeeper("report", slow_and_fast(tmp_path / "r"), "--baseline-report", base), f"base.json: {says}")


def test_a_pass_without_gates_is_none(gatekeeper: Command, tmp_path: Path) -> None:
    empty = msgspec.structs.replace(report(variant(f"{LEGS[0]}/int8", gate("speedup", Verdict.PASS, 3, 4)), manifest=LEGS[:1]))
    [target] = empty.targets
    bare = [msgspec.structs.replace(v, gates=[]) for v in target.variants]
    forged = msgspec.structs.replace(empty, targets=[msgspec.structs.replace(target, variants=bare)])
    done = gatekeeper("report", save(tmp_path / "r", forged), "--format", "json")
    assert done.returncode == 4
    assert "no gate of it was judged" in done.stdout


@pytest.mark.parametrize("stated", ["", "b" * 40])
def test_results_are_of_the_commit_that_was_planned(gatekeeper: Command, tmp_path: Path, stated: str) -> None:
    results = slow_and_fast(tmp_path / "r", commit=stated)
    refused(
        gatekeeper("report", results, "--plan", plan(tmp_path / "plan.json", commit=SHA)), "the plan was made from another commit"
    )


def test_results_of_one_file_agree_on_its_policies(gatekeeper: Command, tmp_path: Path) -> None:
    one, other = leg(LEGS[0]), leg(LEGS[1])
    lenient = msgspec.structs.replace(one, pipeline=msgspec.structs.replace(one.pipeline, on_inconclusive="warn"))
    refused(gatekeeper("report", save(tmp_path / "a", lenient, other)), "differ in what an undecided gate does")
    same = leg("x86/openvino", require="all")
    same = msgspec.structs.replace(same, pipeline=msgspec.structs.replace(same.pipeline, legs=[LEGS[0], "x86/openvino"]))
    first = msgspec.structs.replace(one, pipeline=msgspec.structs.replace(one.pipeline, legs=[LEGS[0], "x86/openvino"]))
    refused(gatekeeper("report", save(tmp_path / "b", first, same)), "differ in `require` for x86")
