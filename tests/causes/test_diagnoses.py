"""The table of remedies: whole, row by row with evidence, and silent without any."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kit.seen import leg, profile, ranking, rich, variant
from msgspec.structs import replace as changed

from gatekeeper.causes.diagnoses._base import ANY, REGISTRY, Row, diagnoses, problem, problem_of, rows
from gatekeeper.causes.seen import Seen
from gatekeeper.causes.short import shorts
from gatekeeper.gates import _base as gates
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import REPORT_SCHEMA, ModelInfo, PipelineInfo, Report, TargetReport

MISSION = {
    ("memory", "llama_cpp"): "shorter context",
    ("memory", "microsoft_olive"): "smaller batch",
    ("memory", "openvino"): "enable caching",
    ("memory", "apple_mlx"): "memory mapping",
    ("slow_inference", "llama_cpp"): "enable SIMD",
    ("slow_inference", "microsoft_olive"): "check the quantization",
    ("slow_inference", "openvino"): "tune the threads",
    ("slow_inference", "apple_mlx"): "enable Metal",
    ("accuracy_drop", "llama_cpp"): "higher quantization",
    ("accuracy_drop", "microsoft_olive"): "retrain with quantization-aware training (QAT)",
    ("accuracy_drop", "openvino"): "more calibration",
    ("accuracy_drop", "apple_mlx"): "fine-tune after quantization",
    ("compatibility", "llama_cpp"): "check the model's format",
    ("compatibility", "microsoft_olive"): "check the framework's version",
    ("compatibility", "openvino"): "update the drivers",
    ("compatibility", "apple_mlx"): "check the version of macOS",
}
"""Section 5 of the mission."""

FIRST = {"memory": "memory", "slow_inference": "speedup", "accuracy_drop": "accuracy", "compatibility": ""}


def unmade(seen: Seen) -> Seen:
    reason = "this build reads no such file"
    return replace(seen, variant=changed(seen.variant, verdict=Verdict.ERROR, artifact=None, reason=reason, gates=[]))


@pytest.mark.parametrize(("name", "framework"), MISSION)
def test_the_table_of_the_mission(name: str, framework: str) -> None:
    """With what a run measures, each cell is said, with what it rests on; without it nothing is."""
    seen = rich(framework, failed=FIRST[name])
    seen = unmade(seen) if name == "compatibility" else seen
    said = [each for each in diagnoses(seen) if MISSION[name, framework] in each.remedies[0].what]
    assert [each.problem for each in said] == [name]
    [diagnosis] = said
    assert diagnosis.cause
    assert diagnosis.remedies[0].tried is None
    assert [fact for fact in diagnosis.evidence if fact.what not in diagnosis.gates], "more than the gate itself"
    assert all(fact.said for fact in diagnosis.evidence)
    healthy = replace(seen, variant=variant(framework))
    assert diagnoses(healthy) == [], "nothing failed"


def known(**more: object) -> Seen:
    return rich(failed="speedup", **more)


SEES: dict[tuple[str, str], Seen] = {
    ("slow_inference", "convolutions whose activations"): known(profile=profile(ConvInteger=0.77, Add=0.23)),
    ("slow_inference", "rounding to integers and back"): known(profile=profile(QuantizeLinear=0.4, QLinearConv=0.6)),
    ("slow_inference", "most of the time is not in what"): known(profile=profile(Softmax=0.9, QLinearConv=0.1)),
    ("accuracy_drop", "a few layers lose"): rich(failed="accuracy", ranking=ranking(0.9, 0.5, 0.001)),
    ("accuracy_drop", "no layer alone"): rich(failed="accuracy", ranking=ranking(0.2, 0.2, 0.2)),
    ("accuracy_drop", "scales were taken from few"): rich(failed="accuracy", calibration=20),
}
"""Rows that rest on more than what every run measures, by how their cause begins."""


@pytest.mark.parametrize(("name", "begins"), SEES)
def test_rows_that_rest_on_more(name: str, begins: str) -> None:
    seen = SEES[name, begins]
    assert [each for each in diagnoses(seen) if each.cause.startswith(begins)], [each.cause for each in diagnoses(seen)]
    bare = replace(seen, profile=None, ranking=None, calibration=None)
    assert not [each for each in diagnoses(bare) if each.cause.startswith(begins)], "without evidence"


EVERY = [(name, row) for name in REGISTRY.builtin for row in problem(name).ROWS]


@pytest.mark.parametrize(("name", "row"), EVERY, ids=[f"{name}-{row.framework or 'any'}-{row.cause[:20]}" for name, row in EVERY])
def test_every_row_can_be_said_and_can_be_left_unsaid(name: str, row: Row) -> None:
    """Of some variant of its framework; and never of one of which nothing is known."""
    framework = row.framework or "onnx_runtime"
    weights = rich(framework, "int8_weight_only")
    idle = replace(weights, variant=variant(framework, "int8_static", cpu_utilisation=0.2))
    cases = [rich(framework), weights, idle, unmade(rich(framework)), *SEES.values()]
    said = [facts for seen in cases if (facts := row.sees(seen))]
    assert said
    assert all(fact.said and (fact.value is None) == (fact.unit == "") for facts in said for fact in facts)
    nothing = changed(variant(framework, ""), performance=None, artifact=None, reason="")
    facts = row.sees(Seen(nothing))
    assert [fact for fact in facts if fact.value is not None] == []


def test_every_gate_is_some_problem_or_says_itself_what_is_wrong() -> None:
    for gate in gates.names():
        owners = [name for name in REGISTRY.names if gate in problem(name).GATES]
        assert len(owners) == (0 if problem_of(gate) is None else 1), gate
        if not owners:
            assert gates.tested_by(gate), f"{gate} fails for no problem: name it in gatekeeper/causes/diagnoses"
    assert problem_of("accuracy/maths") == "accuracy_drop", "on a further set too"


def test_a_framework_without_rows_of_its_own_has_the_general_ones() -> None:
    assert {row.framework for row in rows("memory", "somebody_elses")} == {ANY}
    assert {row.framework for row in rows("memory", "openvino")} == {"openvino"}


def report(*variants: object) -> tuple[Report, TargetReport]:
    target = TargetReport(
        name="here",
        verdict=Verdict.FAIL,
        selected=None,
        environment=None,
        variants=list(variants),
        legs=[leg()],  # type: ignore[arg-type]
    )
    model, pipeline = ModelInfo(path="m", sha256=""), PipelineInfo(path="p", sha256="")
    whole = Report(schema=REPORT_SCHEMA, verdict=Verdict.FAIL, model=model, pipeline=pipeline, targets=[target])
    return whole, target


def test_the_short_line() -> None:
    """Of time, what limits it; of answers, what is likely; of what passes, nothing."""
    slow, wrong, fine = variant(failed="speedup"), variant(failed="accuracy"), variant()
    whole, target = report(slow, wrong, fine)
    assert shorts(whole, target, [slow], slow.gates[0]).startswith("cpu_bound: 2 threads work 90% of the time")
    assert "likely it has fewer bits" in shorts(whole, target, [wrong], wrong.gates[0])
    passed = changed(slow.gates[0], verdict=Verdict.PASS)
    assert shorts(whole, target, [fine], passed) == ""
    assert shorts(whole, target, [slow], changed(slow.gates[0], gate="unit_tests")) == ""
    other = changed(variant(technique="int8_dynamic", failed="speedup", cpu_utilisation=0.4), id="here/onnx_runtime/int8_dynamic")
    both = shorts(*report(slow, other), [slow, other], slow.gates[0])
    assert "int8_static: cpu_bound" in both
    assert "int8_dynamic: likely" in both
    assert len(both) < 600
