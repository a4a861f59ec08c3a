"""Packages that a stage built and tried, judged again from its record: what was edited, or left out, does not pass."""

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
from kit.staged import KUBERNETES, PACKAGING, PHONE, both, packaged

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.policy import limits_file
from gatekeeper.records.base import Verdict
from gatekeeper.records.packaged import Packaged, RoundTrip, Tampered, Validated
from gatekeeper.records.report import Report, StageReport
from gatekeeper.records.rollout import Production
from gatekeeper.stages.production_deployment import lacks
from gatekeeper.stats.rehearsal import HEALTHY
from gatekeeper.verdicts.packaged import STAGING, checks_of, judge_packages
from gatekeeper.verdicts.rehearsed import PRODUCTION
from gatekeeper.verdicts.rules import Rules
from gatekeeper.verdicts.stages import held_stages

Command = Callable[..., subprocess.CompletedProcess[str]]
LEGS = ["x86/onnx_runtime", "x86/openvino"]
HERE = "apt-get install docker-registry"
TRIP, COPY = packaged().round_trip, packaged().tampered
SERVICE = Validated(file="s.yaml", kind="Service", schema="Kubernetes 1.34")


def trip(**changes: Any) -> RoundTrip:
    assert TRIP
    return msgspec.structs.replace(TRIP, **changes)


def copy(**changes: Any) -> Tampered:
    assert COPY
    return msgspec.structs.replace(COPY, **changes)


def test_an_honest_record_passes_and_says_what_was_done() -> None:
    verdict, reason = judge_packages(both())
    assert verdict is Verdict.PASS and "1 objects are valid for Kubernetes 1.34" in reason, reason
    assert "2 came back from a registry as sent, and a changed copy of each was refused" in reason
    assert judge_packages([]) == (Verdict.PASS, "packages: none, since the file has no `packaging`")
    assert judge_packages([packaged(PHONE, elsewhere=True)])[0] is Verdict.PASS


@pytest.mark.parametrize(
    ("key", "changes", "verdict", "said"),
    [
        (KUBERNETES, {"refused": "it did not pass"}, Verdict.FAIL, "it did not pass"),
        (KUBERNETES, {"error": "no base"}, Verdict.ERROR, "no base"),
        (KUBERNETES, {"sums": ""}, Verdict.ERROR, "holds no package"),
        (KUBERNETES, {"files": 0}, Verdict.ERROR, "holds no package"),
        (KUBERNETES, {"artifact": "x"}, Verdict.ERROR, "holds no package"),
        (KUBERNETES, {"objects": []}, Verdict.ERROR, "none of its objects was held"),
        (KUBERNETES, {"objects": [], "unheld": "install it"}, Verdict.ERROR, "install it"),
        (KUBERNETES, {"objects": [msgspec.structs.replace(SERVICE, schema="")]}, Verdict.ERROR, "none of its objects was held"),
        (KUBERNETES, {"objects": [SERVICE, msgspec.structs.replace(SERVICE, problem="'x' is odd")]}, Verdict.FAIL, "'x' is odd"),
        (KUBERNETES, {"round_trip": None}, Verdict.ERROR, "and not why"),
        (KUBERNETES, {"round_trip": None, "missing": HERE}, Verdict.ERROR, HERE),
        (PHONE, {"round_trip": None, "missing": HERE}, Verdict.PASS, f"was not run: {HERE}"),
        (PHONE, {"round_trip": None}, Verdict.ERROR, "and not why"),
        (PHONE, {"round_trip": trip(problem="it died")}, Verdict.ERROR, "it died"),
        (PHONE, {"round_trip": trip(digest="sha256:1")}, Verdict.ERROR, "no digest"),
        (PHONE, {"round_trip": trip(registry="")}, Verdict.ERROR, "no digest"),
        (PHONE, {"round_trip": trip(came_back="")}, Verdict.FAIL, "nothing came back"),
        (PHONE, {"round_trip": trip(came_back="b" * 64)}, Verdict.FAIL, "bbbbbbbbbbbb came back"),
        (PHONE, {"sums": "b" * 64}, Verdict.FAIL, "was sent"),
        (PHONE, {"tampered": None}, Verdict.ERROR, "does not say what the registry gave"),
        (PHONE, {"tampered": copy(handed_out="")}, Verdict.ERROR, "does not say what the registry gave"),
        (PHONE, {"tampered": copy(handed_out=trip().layer)}, Verdict.ERROR, "did not arrive"),
        (PHONE, {"tampered": copy(refused="")}, Verdict.FAIL, "it was accepted"),
        (PHONE, {"variant": "x86/onnx_runtime/fp16"}, Verdict.ERROR, "is no onnx_runtime as int8"),
        (PHONE, {"checks": []}, Verdict.ERROR, "its checks are not what its record holds"),
        (PHONE, {"round_trip": trip(came_back=""), "checks": checks_of(packaged(PHONE))}, Verdict.FAIL, "nothing came back"),
    ],
)
def test_what_a_record_is_worth(key: str, changes: dict[str, Any], verdict: Verdict, said: str) -> None:
    found, reason = judge_packages([packaged(KUBERNETES if key == PHONE else PHONE), packaged(key, **changes)])
    assert found is verdict and said in reason, reason


def leg(name: str, packages: list[Packaged], made: Made | None = None) -> Report:
    """A leg's report with a rehearsal and these packages."""
    report = measured(name, {"int8": made or Made()}, manifest=LEGS)
    chosen = report.targets[0].selected or ""
    line = StageReport(stage=STAGING, verdict=Verdict.PASS, reason="well", rehearsals=[rehearsal(chosen)], packages=packages)
    return msgspec.structs.replace(report, stages=[*report.stages, line])


def merged(gatekeeper: Command, folder: Path, *reports: Report) -> tuple[int, Any]:
    paths = [save(folder / str(i), each) for i, each in enumerate(reports)]
    done = gatekeeper("report", *paths, "--format", "json")
    return done.returncode, next(stage for stage in json.loads(done.stdout)["stages"] if stage["stage"] == STAGING)


def test_each_leg_packages_what_it_made_and_all_together_must_have_made_all(gatekeeper: Command, tmp_path: Path) -> None:
    other = packaged(PHONE, elsewhere=True, variant="", checks=[])
    here = leg(LEGS[0], [packaged(variant=f"{LEGS[0]}/int8"), packaged(PHONE, f"{LEGS[0]}/int8")])
    there = leg(LEGS[1], [packaged(variant=f"{LEGS[1]}/int8"), other])
    code, line = merged(gatekeeper, tmp_path / "all", here, there)
    assert code == 0, line["reason"]
    assert [each["elsewhere"] for each in line["packages"]] == [False, False, False, True]
    nobody = leg(LEGS[0], [packaged(variant=f"{LEGS[0]}/int8"), other])
    code, line = merged(gatekeeper, tmp_path / "none", nobody, there)
    assert code == 4 and f"{PHONE}: every leg left it to another" in line["reason"]
    fast = leg(LEGS[0], [packaged(PHONE, f"{LEGS[0]}/int8")], Made(speed=9.0))
    code, line = merged(gatekeeper, tmp_path / "other", fast, there)
    assert code == 4 and f"{LEGS[0]}/int8 would be deployed, and another was packaged" in line["reason"]
    edited = leg(LEGS[0], [packaged(variant=f"{LEGS[0]}/int8"), packaged(PHONE, f"{LEGS[0]}/int8", "b" * 64)])
    code, line = merged(gatekeeper, tmp_path / "edited", edited, there)
    assert code == 4 and "the file that was packaged is not the one that was measured" in line["reason"]


def test_a_leg_that_lies_of_its_checks_does_not_pass(gatekeeper: Command, tmp_path: Path) -> None:
    good = leg(LEGS[0], [packaged(variant=f"{LEGS[0]}/int8")])
    path = save(tmp_path, msgspec.structs.replace(good, pipeline=msgspec.structs.replace(good.pipeline, legs=LEGS[:1])))
    report = json.loads(path.read_text())
    stage = next(each for each in report["stages"] if each["stage"] == STAGING)
    stage["packages"][0]["tampered"]["refused"] = ""
    path.write_text(json.dumps(report))
    done = gatekeeper("report", path, "--format", "json")
    line = next(each for each in json.loads(done.stdout)["stages"] if each["stage"] == STAGING)
    assert done.returncode == 1 and "it was accepted" in line["reason"], line["reason"]


def file(folder: Path, more: str) -> Loaded:
    path = folder / "p.yaml"
    path.write_text(f"edge_ai_pipeline:\n  model: {{path: m.onnx, task: tabular_classification}}\n  stages: [{STAGING}]\n{more}")
    return limits_file(path)


def held(loaded: Loaded, **line: Any) -> StageReport:
    """The stage of an honest report, with what is changed of it, held to a file."""
    own = {"rehearsals": [rehearsal()], "packages": both()} | line
    report = measured("edge/onnx_runtime", {"int8": Made()})
    stages = [StageReport(stage=STAGING, verdict=Verdict.PASS, reason="well", **own)]
    return held_stages(msgspec.structs.replace(report, stages=stages), Rules(file=loaded))[0]


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        ([], "says nothing of packaging.kubernetes, packaging.mobile_deployment.cross_platform"),
        (both()[:1], f"says nothing of {PHONE}"),
        ([*both(), packaged("packaging.container", kind="container")], "the file does not ask for it"),
        ([packaged(pulled=False), both()[1]], "pulled False, and the file says True"),
        ([both()[0], packaged(PHONE, framework="")], "framework '', and the file says 'onnx_runtime'"),
        ([both()[0], packaged(PHONE, quantization="")], "quantization '', and the file says 'int8'"),
    ],
)
def test_packages_are_those_of_the_file(packages: list[Packaged], said: str, tmp_path: Path) -> None:
    loaded = file(tmp_path, PACKAGING)
    assert held(loaded).verdict is Verdict.PASS, held(loaded).reason
    found = held(loaded, packages=packages)
    assert found.verdict is Verdict.ERROR and said in found.reason, found.reason


WAYS = [
    ("  deployment: {strategy: canary}\n", "was rehearsed as blue_green, and the file says canary"),
    ("  deployment: {traffic_ramping: immediate}\n", "in the steps [25, 50, 90], and immediate blue_green has 90 %"),
    ("  testing: {load: {p99_ms: 50}}\n", "slow from 100.0 ms on, and the file says 50"),
    ("  gates: {p99_latency: {max_ms: 20}}\n", "slow from 100.0 ms on, and the file says 20"),
    ("  testing: {load: {target_qps: 200}}\n", "at 100 requests/s, and the file says 200"),
]


@pytest.mark.parametrize(("more", "said"), WAYS)
def test_a_rehearsal_is_of_the_rollout_that_the_file_describes(more: str, said: str, tmp_path: Path) -> None:
    found = held(file(tmp_path, more), packages=[])
    assert found.verdict is Verdict.ERROR and said in found.reason, found.reason
    healthy = [each for each in rehearsal().scenarios if each.name == HEALTHY]
    own = msgspec.structs.replace(rehearsal(), scenarios=healthy, strategy="canary" if "canary" in more else "blue_green")
    deployment = file(tmp_path, more).pipeline.deployment
    asked = {"strategy": deployment.strategy, "ramping": deployment.traffic_ramping, "rollback": deployment.rollback}
    done = Production(variant=own.variant, outcome="rehearsed", rehearsal=own, **asked)
    found = lacks(file(tmp_path, more), StageReport(stage=PRODUCTION, verdict=Verdict.PASS, production=[done]))
    assert found.startswith(own.variant) and ("canary has 25, 50 or 50 %" if "canary" in more else said) in found, found
    same = "  deployment: {strategy: blue_green}\n  testing: {load: {p99_ms: 100, target_qps: 100}}\n"
    assert held(file(tmp_path, same), packages=[]).verdict is Verdict.PASS
