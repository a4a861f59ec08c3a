"""Random edits of reports: none makes a merge pass unless what was measured was changed, and none ends in a traceback."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.command import called
from kit.measured import CHECKED, LIMITS, Made, measured
from kit.tampered import Path_, at, passing, places

from gatekeeper.models.files import digest
from gatekeeper.planning.plan import Plan, PlannedLeg, PlannedVariant
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import StageReport
from gatekeeper.reports._base import reporter

PASS, FAIL = Verdict.PASS, Verdict.FAIL
LEGS = ("cpu/onnx_runtime", "cpu/openvino")
TESTED = {**LIMITS, **CHECKED}
STAGES = [StageReport(stage=name, verdict=PASS) for name in ("model_validation", "optimization", "testing")]
PLAIN = "{accuracy: {retention: 0.95}}"

KINDS: dict[str, tuple[str, list[dict[str, Made]], dict[str, Any]]] = {
    "wrong": (PLAIN, [{"int8": Made(kept=0.1), "fp16": Made(kept=0.1)}] * 2, {}),
    "collapsed": (PLAIN, [{"int8": Made(collapsed="it answers one class")}, {"int8": Made(collapsed="so does this")}], {}),
    "slow": (PLAIN, [{"int8": Made(speed=1.5)}, {"int8": Made(speed=1.2), "fp16": Made(peak=0.9)}], {}),
    "undecided": (PLAIN, [{"int8": Made(speed=2.0, noise=0.1)}, {"int8": Made(examples=58), "fp16": Made(error="crash")}], {}),
    "require all": ("{require: all}", [{"int8": Made(), "fp16": Made(kept=0.1)}, {"int8": Made()}], {"require": "all"}),
    "noisy": (PLAIN, [{"int8": Made(speed=2.3)}, {"int8": Made(error="crash")}], {"copy": 1.5}),
    "tested": (
        PLAIN + ", stages: [model_validation, optimization, testing], testing: {unit_tests: basic}",
        [{"int8": Made(checks=[PASS, FAIL], late=0)}, {"int8": Made(checks=[PASS], late=90)}],
        {"limits": TESTED, "stages": STAGES},
    ),
    "passing": (PLAIN, [{"int8": Made()}, {"int8": Made(), "fp16": Made(speed=1.5)}], {}),
}  # fmt: skip
"""What the policy asks for besides its targets, the variants of both legs, and what else is true of them."""


class Merge:
    """A folder with the reports of two legs, their plan and their policy."""

    def __init__(self, folder: Path, kind: str):
        gates, legs, more = KINDS[kind]
        self.folder = folder
        policy = folder / "base.yaml"
        policy.write_text(f"edge_ai_pipeline: {{targets: [{{name: cpu, hardware: cpu}}], gates: {gates}}}\n")
        held = {"policy": "main", "policy_sha256": digest(policy), "manifest": LEGS}
        reports = [measured(name, own, **held, **more) for name, own in zip(LEGS, legs, strict=True)]
        self.reports: list[dict[str, Any]] = [json.loads(reporter("json").render(each)) for each in reports]
        planned = [
            PlannedLeg(
                id=name, target="cpu", hardware="cpu", framework=name.split("/")[1], extra="", runs_on="x",
                variants=[PlannedVariant(id=f"{name}/{each}", technique=each) for each in own],
            )
            for name, own in zip(LEGS, legs, strict=True)
        ]  # fmt: skip
        plan = Plan(schema="gatekeeper/plan/v1", pipeline="p.yaml", pipeline_sha256="p" * 64, legs=planned)
        (folder / "plan.json").write_bytes(msgspec.json.encode(plan))

    def code(self, reports: list[dict[str, Any]]) -> int:
        """The exit code; never a traceback, and never silence."""
        for index, each in enumerate(reports):
            (self.folder / f"{index}.json").write_text(json.dumps(each))
        done = called(["report", "0.json", "1.json", "--policy", "base.yaml", "--plan", "plan.json"], self.folder, {})
        assert done.returncode in (0, 1, 2, 3, 4), done
        assert "Traceback" not in done.stderr
        assert done.returncode != 2 or done.stderr
        return done.returncode


MEASURED = {
    "performance",
    "baseline",
    "control",
    "control_rounds",
    "tested",
    "observed",
    "lower",
    "upper",
    "quality",
    "bytes",
    "answers",
}
"""What a leg measured, by the keys it lies under; a leg can forge that, if all of it agrees."""
COUNTS = {"examples", "tau", "share", "requests", "errors"}


def is_measured(path: Path_) -> bool:
    return bool(MEASURED & set(path)) or ("details" in path and path[-1] in {*COUNTS, "details"})


WORDS = ("pass", "fail", "inconclusive", "error", "skip", "best", "all", "warn", "at_least", "at_most", "", "x", "../x", LEGS[0])
NUMBERS = (0, -1, -5, 1, 0.01, 0.96, 2.5, 1e308, -1e308, 1e-300, 10**400, 58, 100, 1e9)


def edit(report: dict[str, Any], rng: random.Random) -> tuple[Path_, bool]:
    """One change somewhere; the path of what it touched, and whether it took something away."""
    paths = list(places(report))
    near = [p for p in paths if "rounds" not in p] if rng.random() < 0.9 else paths
    path = rng.choice(near)
    parent, key, value = at(report, path[:-1]), path[-1], at(report, path)
    action = rng.randrange(6)
    if action == 0:
        del parent[key]
    elif action == 1 and isinstance(parent, list):
        parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(value))
    elif action == 2:
        parent[key] = None
    elif isinstance(value, bool):
        parent[key] = not value
    elif isinstance(value, str):
        parent[key] = rng.choice(WORDS)
    elif isinstance(value, int | float):
        parent[key] = rng.choice([*NUMBERS, -value, value * 2, value / 2, value + 1])
    elif isinstance(value, list):
        parent[key] = rng.choice([[], value * 2, value[::-1]])
    elif isinstance(value, dict):
        parent[key] = {}
    else:
        parent[key] = rng.choice([*WORDS, *NUMBERS, [], {}])
    return path, action in (0, 2) or (action > 2 and parent[key] in ([], {}))


def claims(report: dict[str, Any]) -> None:
    """What somebody writes who wants a leg to pass: that everything does."""
    for gate in passing(report):
        gate["verdict"] = "pass"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("edits", [60, pytest.param(2000, marks=pytest.mark.thorough)])
def test_no_edit_makes_a_failing_merge_pass(kind: str, edits: int, tmp_path: Path) -> None:
    merge = Merge(tmp_path, kind)
    assert (merge.code(merge.reports) == 0) is (kind == "passing")
    rng = random.Random(f"{kind} {edits}")
    for number in range(edits):
        reports = copy.deepcopy(merge.reports)
        touched = []
        forged = rng.random() < 0.5
        if forged:
            for each in reports:
                claims(each)
        for _ in range(rng.choice((1, 1, 2, 3))):
            index = rng.randrange(2)
            touched.append(edit(reports[index], rng))
        code = merge.code(reports)
        if code == 0 and kind != "passing":
            assert any(is_measured(path) and not gone for path, gone in touched), (number, forged, touched)


@pytest.mark.parametrize("kind", KINDS)
def test_claims_alone_change_nothing(kind: str, tmp_path: Path) -> None:
    merge = Merge(tmp_path, kind)
    code = merge.code(merge.reports)
    reports = copy.deepcopy(merge.reports)
    for each in reports:
        claims(each)
    assert merge.code(reports) in {code, 4} - ({0} if kind != "passing" else {4})
