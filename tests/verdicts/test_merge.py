"""Legs to targets to one report: what is missing, doubled or foreign never becomes a pass."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import msgspec
import pytest
from kit.support import round_data

from gatekeeper.errors import UsageError
from gatekeeper.measure.race import performance
from gatekeeper.planning.plan import Plan, PlannedLeg
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Environment
from gatekeeper.records.report import LegReport, ModelInfo, PipelineInfo, Report, StageReport, VariantReport
from gatekeeper.verdicts.merge import merge
from gatekeeper.verdicts.targets import report_verdict, target_report

PASS, FAIL, OPEN, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIP
LEGS = ["x86/onnx_runtime", "x86/openvino", "arm/onnx_runtime"]


def variants(leg: str, verdicts: Sequence[Verdict]) -> list[VariantReport]:
    framework = leg.partition("/")[2]
    return [
        VariantReport(
            id=f"{leg}/v{i}", framework=framework, technique=f"v{i}", verdict=v, reason="" if v is PASS else f"because {v}",
            gates=[GateResult(gate="speedup", verdict=v, observed=2.1 + i, lower=2.0 + i, limit=0.5)],
        )
        for i, v in enumerate(verdicts)
    ]  # fmt: skip


def leg_report(
    leg: str,
    *verdicts: Verdict,
    error: str = "",
    stages: Sequence[StageReport] = (),
    require: Literal["best", "all"] = "best",
    manifest: Sequence[str] = LEGS,
    pipeline: str = "p" * 64,
    model: str = "m" * 64,
) -> Report:
    """What a matrix job of one leg uploads."""
    name, _, framework = leg.partition("/")
    target = target_report(
        name, "intel_cpu", require, [LegReport(id=leg, framework=framework, error=error)], variants(leg, verdicts)
    )
    return Report(
        schema="gatekeeper/report/v1",
        verdict=report_verdict([target], stages),
        model=ModelInfo(path="model.onnx", sha256=model),
        pipeline=PipelineInfo(path="edge_ai_pipeline.yaml", sha256=pipeline, legs=list(manifest)),
        targets=[target],
        stages=list(stages),
        notes=[f"note of {leg}", "a note of all"],
        remarks=[],
    )


def stage(name: str, verdict: Verdict) -> StageReport:
    return StageReport(stage=name, verdict=verdict, reason=f"{name} is {verdict}")


def all_legs(*verdicts: Verdict) -> list[Report]:
    return [leg_report(leg, verdict) for leg, verdict in zip(LEGS, verdicts, strict=True)]


def plan(*legs: str, pipeline: str = "p" * 64) -> Plan:
    planned = [
        PlannedLeg(
            id=leg, target=leg.partition("/")[0], hardware="intel_cpu", framework=leg.partition("/")[2], extra="", runs_on="x",
            variants=[],
        )
        for leg in legs
    ]  # fmt: skip
    return Plan(schema="gatekeeper/plan/v1", pipeline="edge_ai_pipeline.yaml", pipeline_sha256=pipeline, legs=planned)


def test_legs_of_one_target_come_together() -> None:
    found = merge(all_legs(PASS, PASS, PASS))
    assert [(t.name, [leg.id for leg in t.legs]) for t in found.targets] == [("x86", LEGS[:2]), ("arm", LEGS[2:])]
    assert [v.id for v in found.targets[0].variants] == ["x86/onnx_runtime/v0", "x86/openvino/v0"]
    assert found.verdict is PASS


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_results_does_not_matter(order: tuple[int, ...]) -> None:
    reports = all_legs(FAIL, PASS, PASS)
    assert merge([reports[i] for i in order]).targets == merge(reports).targets


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((PASS, PASS, PASS), PASS),
        ((PASS, FAIL, PASS), PASS),  # the other framework of the same target passes
        ((FAIL, FAIL, PASS), FAIL),
        ((PASS, PASS, FAIL), FAIL),
        ((OPEN, FAIL, PASS), OPEN),
        ((ERROR, FAIL, PASS), ERROR),
        ((PASS, PASS, OPEN), OPEN),
        ((PASS, PASS, ERROR), ERROR),
        ((PASS, PASS, SKIP), ERROR),  # nothing was measured there
        ((FAIL, FAIL, ERROR), FAIL),
    ],
)
def test_the_verdict_follows_from_targets(verdicts: tuple[Verdict, ...], expected: Verdict) -> None:
    assert merge(all_legs(*verdicts)).verdict is expected


def test_the_best_of_all_frameworks_is_chosen() -> None:
    reports = [leg_report(LEGS[0], PASS), leg_report(LEGS[1], FAIL, PASS), leg_report(LEGS[2], FAIL)]
    found = merge(reports)
    assert [t.selected for t in found.targets] == ["x86/openvino/v1", None]
    assert "v0" in found.targets[1].reason


def test_require_all_holds_across_legs() -> None:
    manifest = LEGS[:2]
    reports = [leg_report(leg, v, require="all", manifest=manifest) for leg, v in zip(manifest, (PASS, FAIL), strict=True)]
    found = merge(reports)
    assert (found.verdict, found.targets[0].require) == (FAIL, "all")
    assert found.targets[0].reason


@pytest.mark.parametrize("missing", range(3))
def test_a_missing_leg_is_an_error_that_names_it(missing: int) -> None:
    reports = all_legs(PASS, PASS, PASS)
    del reports[missing]
    found = merge(reports)
    assert found.verdict is ERROR
    (leg,) = [leg for t in found.targets for leg in t.legs if leg.error]
    assert leg.id == LEGS[missing]
    assert any(LEGS[missing] in t.reason for t in found.targets)


def test_a_missing_leg_keeps_require_all_of_its_target() -> None:
    found = merge([leg_report(LEGS[0], PASS, require="all"), leg_report(LEGS[2], PASS, require="all")])
    assert found.targets[0].require == "all"
    assert found.verdict is ERROR


def test_a_plan_says_what_must_be_there() -> None:
    reports = all_legs(PASS, PASS, PASS)
    assert merge(reports, plan(*LEGS)).verdict is PASS
    assert merge(reports[:2], plan(*LEGS)).verdict is ERROR


def test_a_plan_of_another_pipeline_is_refused() -> None:
    with pytest.raises(UsageError, match="another pipeline file"):
        merge(all_legs(PASS, PASS, PASS), plan(*LEGS, pipeline="q" * 64))


def test_a_leg_that_no_plan_asked_for_is_refused() -> None:
    with pytest.raises(UsageError, match=r"legs that the plan does not: arm/onnx_runtime"):
        merge(all_legs(PASS, PASS, PASS), plan(*LEGS[:2]))


def test_a_leg_that_comes_twice_is_refused() -> None:
    reports = all_legs(FAIL, PASS, PASS)
    with pytest.raises(UsageError, match="two results for the leg 'x86/onnx_runtime'"):
        merge([*reports, leg_report(LEGS[0], PASS)])


@pytest.mark.parametrize(
    ("other", "says"),
    [({"pipeline": "q" * 64}, "different pipeline files"), ({"model": "n" * 64}, "different models")],
)
def test_results_that_do_not_belong_together_are_refused(other: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        merge([leg_report(LEGS[0], PASS), leg_report(LEGS[1], PASS, **other), leg_report(LEGS[2], PASS)])  # type: ignore[arg-type]


@pytest.mark.parametrize("verdicts", list(itertools.product([PASS, FAIL, OPEN, ERROR, SKIP], repeat=2)))
@pytest.mark.parametrize("require", ["best", "all"])
def test_merging_a_full_run_alone_changes_nothing(verdicts: tuple[Verdict, ...], require: Literal["best", "all"]) -> None:
    report = leg_report(LEGS[0], *verdicts, require=require, manifest=LEGS[:1], stages=[stage("optimization", PASS)])
    assert merge([report]) == report
    assert merge([merge([report])]) == report


def test_a_leg_with_an_error_blocks_its_target() -> None:
    reports = [leg_report(LEGS[0], PASS), leg_report(LEGS[1], error="no such hardware"), leg_report(LEGS[2], PASS)]
    found = merge(reports)
    assert found.verdict is ERROR
    assert found.targets[0].reason == "x86/openvino: no such hardware"


@pytest.mark.parametrize("pair", list(itertools.product(Verdict, repeat=2)), ids=lambda p: "-".join(p))
def test_the_worst_of_a_stage_counts_in_either_order(pair: tuple[Verdict, Verdict]) -> None:
    """A stage ran once per leg; the verdict must not depend on which leg is named first."""
    manifest = LEGS[:2]
    reports = [leg_report(leg, PASS, manifest=manifest, stages=[stage("s", v)]) for leg, v in zip(manifest, pair, strict=True)]
    one, two = merge(reports), merge(reports[::-1])
    assert one.verdict is two.verdict
    assert one.verdict is report_verdict(one.targets, [s for r in reports for s in r.stages])
    assert [s.stage for s in one.stages] == ["s"]


def test_every_stage_of_every_leg_is_kept() -> None:
    manifest = LEGS[:2]
    reports = [
        leg_report(leg, PASS, manifest=manifest, stages=[stage("a", PASS), stage(leg, v)])
        for leg, v in zip(manifest, (PASS, ERROR), strict=True)
    ]
    found = merge(reports)
    assert {s.stage for s in found.stages} == {"a", *manifest}
    assert found.verdict is ERROR


def test_notes_are_kept_once() -> None:
    assert merge(all_legs(PASS, PASS, PASS)).notes == [
        "note of x86/onnx_runtime", "a note of all", "note of x86/openvino", "note of arm/onnx_runtime",
    ]  # fmt: skip


@pytest.mark.parametrize("stages", [[], [stage("s", PASS)]])
def test_a_report_of_nothing_is_not_a_pass(stages: list[StageReport]) -> None:
    report = msgspec.structs.replace(leg_report(LEGS[0], PASS, manifest=[]), targets=[], stages=stages)
    assert merge([report]).verdict is ERROR
    assert report_verdict([], stages) is ERROR


def test_what_a_report_claims_of_itself_does_not_count() -> None:
    """The verdict is made from the gates' variants again, not copied."""
    report = leg_report(LEGS[0], FAIL, manifest=LEGS[:1])
    claims = [msgspec.structs.replace(t, verdict=PASS, selected="x86/onnx_runtime/v0", reason="") for t in report.targets]
    found = merge([msgspec.structs.replace(report, verdict=PASS, targets=claims)])
    assert (found.verdict, found.targets[0].selected) == (FAIL, None)


def test_a_target_without_variants_says_that_nothing_was_optimized() -> None:
    found = target_report("x86", "intel_cpu", "best", [LegReport(id=LEGS[0], framework="f")], variants(LEGS[0], [SKIP]))
    assert (found.verdict, found.selected) == (ERROR, None)
    assert found.reason


def on_machine(report: Report, cpu: str) -> Report:
    """The report of a leg that ran on such a machine."""
    [target] = report.targets
    environment = Environment(cpu=cpu, isa=["avx2"], threads=2, packages={}, cores=4, governor="x")
    legs = [msgspec.structs.replace(leg, environment=environment) for leg in target.legs]
    return msgspec.structs.replace(report, targets=[msgspec.structs.replace(target, legs=legs)])


@pytest.mark.parametrize(("cpus", "told"), [(("a", "a"), False), (("a", "b"), True)])
def test_legs_of_differing_machines_are_told_apart(cpus: tuple[str, str], told: bool) -> None:
    legs = [on_machine(leg_report(leg, PASS, manifest=LEGS[:2]), cpu) for leg, cpu in zip(LEGS[:2], cpus, strict=True)]
    [target] = merge(legs).targets
    assert bool(target.notes) is told
    assert all(
        "differing machines: a (4 cores, avx2, governor x); b (4 cores, avx2, governor x)" in note for note in target.notes
    )


def test_a_variant_is_no_better_than_its_gates() -> None:
    report = leg_report(LEGS[0], PASS, manifest=LEGS[:1])
    [target] = report.targets
    [passing] = target.variants
    lying = msgspec.structs.replace(passing, gates=[GateResult(gate="speedup", verdict=FAIL)])
    changed = msgspec.structs.replace(report, targets=[msgspec.structs.replace(target, variants=[lying])])
    assert merge([changed]).verdict is FAIL


def measured_on(report: Report, cpu: str, latency_ns: float) -> Report:
    """The report of a leg that was measured there, its variants this fast and its baseline ten times as slow."""
    [target] = on_machine(report, cpu).targets
    fast, slow, copy = (
        [round_data(number, ns * (1 + noise * number)) for number in range(8)]
        for ns, noise in ((latency_ns, 0.001), (10 * latency_ns, 0.002), (10 * latency_ns, 0.0021))
    )
    legs = [
        msgspec.structs.replace(leg, baseline=performance(slow, 1, "pss"), control_rounds=copy, max_rounds=8)
        for leg in target.legs
    ]
    found = [msgspec.structs.replace(v, performance=performance(fast, 1, "pss")) for v in target.variants]
    return msgspec.structs.replace(report, targets=[msgspec.structs.replace(target, legs=legs, variants=found)])


@pytest.mark.parametrize(("cpus", "best"), [(("a", "a"), "x86/openvino/v0"), (("a", "b"), "x86/onnx_runtime/v1")])
def test_frameworks_are_compared_by_latency_on_one_kind_of_machine_only(cpus: tuple[str, str], best: str) -> None:
    legs = [leg_report(LEGS[0], PASS, PASS, manifest=LEGS[:2]), leg_report(LEGS[1], PASS, manifest=LEGS[:2])]
    found = merge([measured_on(leg, cpu, ns) for leg, cpu, ns in zip(legs, cpus, (500, 200), strict=True)])
    assert found.targets[0].selected == best


def test_what_passed_in_every_leg_speaks_of_all() -> None:
    manifest = LEGS[:2]
    found = merge([leg_report(leg, PASS, manifest=manifest, stages=[stage("optimization", PASS)]) for leg in manifest])
    assert [s.reason for s in found.stages] == ["2 variants in 2 legs"]


def test_a_variant_whose_times_say_nothing_is_best_only_where_no_other_passes() -> None:
    reports = [
        measured_on(leg_report(leg, PASS, manifest=LEGS[:2]), "a", ns) for leg, ns in zip(LEGS[:2], (500, 100), strict=True)
    ]
    [target] = reports[1].targets
    legs = [msgspec.structs.replace(leg, untimed="only a reference") for leg in target.legs]
    reports[1] = msgspec.structs.replace(reports[1], targets=[msgspec.structs.replace(target, legs=legs)])
    assert merge(reports).targets[0].selected == "x86/onnx_runtime/v0"
    failing = measured_on(leg_report(LEGS[0], FAIL, manifest=LEGS[:2]), "a", 500)
    assert merge([failing, reports[1]]).targets[0].selected == "x86/openvino/v0"
