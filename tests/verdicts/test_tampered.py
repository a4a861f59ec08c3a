"""One thing of a failing report changed, for every thing in it: none removed, emptied or turned round makes its merge pass.

The random edits of test_mutations.py find what nobody thought of; this finds what they miss by chance.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit import further, judged
from kit.measured import CHECKED, LIMITS, OF_TENSORS, Limits, Made, measured
from kit.tampered import Path_, claimed, tampered

from gatekeeper.config.policy import policy_file
from gatekeeper.errors import UsageError
from gatekeeper.planning.plan import Plan, PlannedLeg, PlannedVariant
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report, StageReport
from gatekeeper.records.scores import KeptClass, KeptOutput
from gatekeeper.reports._base import reporter
from gatekeeper.reports._read import read_report
from gatekeeper.verdicts.even import check_even
from gatekeeper.verdicts.headers import check_headers
from gatekeeper.verdicts.held import held_report
from gatekeeper.verdicts.judge import exit_code
from gatekeeper.verdicts.merge import merge
from gatekeeper.verdicts.rules import Rules
from gatekeeper.verdicts.written import rules_of

Command = Callable[..., subprocess.CompletedProcess[str]]
PASS, FAIL = Verdict.PASS, Verdict.FAIL
LEG, REFUSED = "cpu/onnx_runtime", 2
STAGES = [StageReport(stage=name, verdict=PASS) for name in ("model_validation", "optimization", "testing")]
TESTED: Limits = {**LIMITS, **CHECKED}
OFF: Limits = {"accuracy": {}, "memory": None, "speedup": None, "stability": None}
TESTS = "{p99_latency: {max_ms: 10}}, stages: [model_validation, optimization, testing]"
TESTS += ", testing: {unit_tests: basic, load_tests: smoke}"
DROPOUT = "dropout (share 0.5)"
CORRUPTED: Limits = {**LIMITS, "robustness": {"corruptions": ["noise", {"dropout": {"share": 0.5}}]}}
GATES_CORRUPTED = "{robustness: {corruptions: [noise, {dropout: {share: 0.5}}]}}"
KEPT = KeptOutput(name="y", what="variance kept", observed=0.99, lower=0.98, upper=0.995, examples=1000)
LOST_OUTPUT = msgspec.structs.replace(KEPT, name="z", observed=0.2, lower=0.1, upper=0.3)
BROKEN = msgspec.structs.replace(KEPT, name="z", problem="NaN", observed=None, lower=None, upper=None)
FOUND = KeptClass(name="a", examples=90, both=85, only_baseline=0, only_variant=2)
LOST = KeptClass(name="c", examples=90, both=20, only_baseline=60, only_variant=0)
BUNDLE = {"max": "50MB", "framework": "onnx_runtime", "quantization": "int8"}

FAILING: dict[str, tuple[dict[str, Made], dict[str, Any], str]] = {
    "accuracy": ({"int8": Made(kept=0.1)}, {}, "{}"),
    "a collapse": ({"int8": Made(collapsed="it answers one class")}, {}, "{}"),
    "few examples": ({"int8": Made(examples=58)}, {}, "{}"),
    "speedup": ({"int8": Made(speed=1.5)}, {}, "{}"),
    "a noisy runner": ({"int8": Made(speed=2.3)}, {"copy": 1.5}, "{}"),
    "a ninth attempt": ({"int8": Made(speed=2.06, noise=0.025)}, {"attempt": 9}, "{}"),
    "memory": ({"int8": Made(peak=0.9)}, {}, "{}"),
    "stability": ({"int8": Made(tail=1.5)}, {}, "{}"),
    "package_size": (
        {"int8": Made(size=60_000_000)}, {"limits": {**LIMITS, "package_size": {"max": "50MB"}}}, "{package_size: {max: 50MB}}",
    ),
    "bundle_size": ({"int8": Made(size=60_000_000)}, {"limits": {**LIMITS, "bundle_size": BUNDLE}}, f"{{bundle_size: {BUNDLE}}}"),
    "apk_size": ({"int8": Made(size=60_000_000)}, {"limits": {**LIMITS, "apk_size": BUNDLE}}, f"{{apk_size: {BUNDLE}}}"),
    "energy": (
        {"int8": Made(speed=2.5, watts=24.0)}, {"limits": {**LIMITS, "energy": {"reduction": 0.3}}}, "{energy: {reduction: 0.3}}",
    ),
    "energy on a noisy runner": (
        {"int8": Made(speed=3.0, watts=15.0)}, {"copy": 1.5, "limits": {**OFF, "energy": {"reduction": 0.3}}},
        "{speedup: disabled, memory: disabled, stability: disabled, energy: {reduction: 0.3}}",
    ),
    "power_w": ({"int8": Made(watts=24.0)}, {"limits": {**LIMITS, "power_w": {"max": 15}}}, "{power_w: {max: 15}}"),
    "outputs": ({"int8": Made(outputs=(KEPT, LOST_OUTPUT))}, {"limits": OF_TENSORS}, "{outputs: {}, worst_class: {}}"),
    "an output of no numbers": ({"int8": Made(outputs=(KEPT, BROKEN))}, {"limits": OF_TENSORS}, "{outputs: {}, worst_class: {}}"),
    "worst_class": ({"int8": Made(classes=(FOUND, LOST))}, {"limits": OF_TENSORS}, "{outputs: {}, worst_class: {}}"),
    "robustness": ({"int8": Made(under={"noise": 1.0, DROPOUT: 0.5})}, {"limits": CORRUPTED}, GATES_CORRUPTED),
    "a corruption that did not arrive": (
        {"int8": Made(under={"noise": 1.0, DROPOUT: 1.0}, changed=9)}, {"limits": CORRUPTED}, GATES_CORRUPTED,
    ),
    "calibration_error": (
        {"int8": Made(sure=0.9, bins=3)}, {"limits": {**LIMITS, "calibration_error": {"bins": 3}}},
        "{calibration_error: {bins: 3}}",
    ),
    "unit_tests": ({"int8": Made(checks=[PASS, FAIL], late=0)}, {"limits": TESTED}, TESTS),
    "p99_latency": ({"int8": Made(checks=[PASS], late=90)}, {"limits": TESTED}, TESTS),
    "one of all": ({"int8": Made(), "fp16": Made(kept=0.1)}, {"require": "all"}, "{require: all}"),
    "a crash": ({"int8": Made(error="it crashed")}, {}, "{}"),
}  # fmt: skip
"""What fails, the variants, what else is true of the leg, and what the policy says of gates."""


def code(data: dict[str, Any], rules: Rules) -> int:
    """What `gatekeeper report` would exit with; a report that none can be is refused."""
    try:
        report = msgspec.convert(data, Report)
        check_headers([report], rules.plan)
        held = held_report(report, "report.json", rules)
        check_even([held], ["report.json"])
        return int(exit_code(merge([held], rules.plan)))
    except (msgspec.ValidationError, UsageError):
        return REFUSED


def like_others(path: Path_) -> bool:
    """Whether a place is one in a later round of an arm: those are like the first."""
    return any(key in ("rounds", "control_rounds") and after not in (0, 1) for key, after in pairwise(path))


def passing(data: dict[str, Any], rules: Rules, every: bool) -> list[tuple[str, Path_]]:
    """Edits with which it passes, `every` place or one round of each arm."""
    edits = ((way, path, edited) for way, path, edited in tampered(data) if every or not like_others(path))
    return [(way, path) for way, path, edited in edits if code(edited, rules) == 0]


def planned(variants: dict[str, Made]) -> Plan:
    own = [PlannedVariant(id=f"{LEG}/{name}", technique=name) for name in variants]
    leg = PlannedLeg(id=LEG, target="cpu", hardware="cpu", framework="onnx_runtime", extra="", runs_on="x", variants=own)
    return Plan(schema="gatekeeper/plan/v1", pipeline="p.yaml", pipeline_sha256="p" * 64, legs=[leg])


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.thorough)], ids=["first rounds", "every place"])
@pytest.mark.parametrize("name", FAILING)
def test_nothing_taken_from_a_failing_report_makes_it_pass(name: str, every: bool, tmp_path: Path) -> None:
    variants, more, gates = FAILING[name]
    file = tmp_path / "base.yaml"
    file.write_text(f"edge_ai_pipeline: {{targets: [{{name: cpu, hardware: cpu}}], gates: {gates}}}\n")
    policy = policy_file(file)
    rules = Rules(planned(variants), policy=policy.limits, whole=True)
    report = measured(LEG, variants, policy="main", policy_sha256=policy.sha256, stages=STAGES, **more)
    data = json.loads(reporter("json").render(report))
    assert code(data, rules) not in (0, REFUSED)
    for made in (data, claimed(data), claimed(data, skips=True)) if every else (claimed(data),):
        assert code(made, rules) != 0
        assert passing(made, rules, every) == []


REAL = {
    "outputs": judged.two_heads, "a collapse": judged.minority_lost, "unit_tests": judged.loud_neighbours,
    "worst_class": judged.site_lost, "accuracy": judged.two_scales, "examples": judged.rare_outliers,
    "a further set": further.tenth_lost,
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("name", REAL)
def test_nothing_taken_from_a_run_that_failed_makes_it_pass(
    name: str, gatekeeper: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = REAL[name](tmp_path)
    assert gatekeeper("run", file.name, "--quiet").returncode in (1, 3)
    monkeypatch.chdir(tmp_path)
    found = Path("gatekeeper-report/report.json")
    data = json.loads(found.read_text())
    rules = rules_of([read_report(found)], None, None)
    for made in (data, claimed(data), claimed(data, skips=True)):
        assert code(made, rules) != 0
        assert passing(made, rules, every=True) == []
