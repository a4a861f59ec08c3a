"""What is asked of a target's variants together: in one run, in a part of one, and merged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from kit.support import round_data

from gatekeeper.errors import NotMeasured
from gatekeeper.measure.race import performance
from gatekeeper.records.answers import Answers, AnswersHeader
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Artifact
from gatekeeper.records.report import LegReport, ModelInfo, PipelineInfo, Report, StageReport, VariantReport
from gatekeeper.verdicts.across import agreement_of, checked
from gatekeeper.verdicts.merge import merge
from gatekeeper.verdicts.targets import report_verdict, target_report

LEGS = ["x86/onnx_runtime", "x86/openvino", "arm/onnx_runtime"]
CROSS, PERFORMANCE = "p.yaml:7", "p.yaml:8"
TRUTH = np.random.default_rng(0).integers(0, 10, 400)


def variants(leg: str, measured: bool = True) -> list[VariantReport]:
    found = performance([round_data(0, 1000)], 1, "pss") if measured else None
    gates = [GateResult(gate=name, verdict=Verdict.PASS, observed=9.0, lower=8.9, limit=0.5) for name in ("accuracy", "speedup")]
    return [
        VariantReport(
            id=f"{leg}/{name}", framework=leg.partition("/")[2], technique=name, verdict=Verdict.PASS, gates=gates,
            artifact=Artifact(path="a", sha256="", bytes=1), performance=found,
        )
        for name in ("int8", "int4")
    ]  # fmt: skip


def answers(legs: Sequence[str], liar: str = "", dataset: str = "d") -> Answers:
    """What the models of some legs answered; one of them differs on 30 examples."""
    names = [f"{leg}/{name}" for leg in legs for name in ("baseline", "int8", "int4")]
    values = np.tile(TRUTH, (len(names), 1)).astype(np.uint8)
    if liar in names:
        values[names.index(liar), :30] += 1
    header = AnswersHeader(
        schema="gatekeeper/answers/v1", dataset=dataset, kind="same class", total=400, names=names, left_out={}
    )  # fmt: skip
    return Answers(header, values)


def ran(*legs: str, liar: str = "", measured: bool = True, answered: bool = True, manifest: Sequence[str] = LEGS) -> Report:
    """The report of a run of these legs."""
    pipeline = PipelineInfo(
        path="p.yaml", sha256="p" * 64, legs=list(manifest), cross_validation=CROSS, performance_comparison=PERFORMANCE
    )
    targets = []
    for name in dict.fromkeys(leg.partition("/")[0] for leg in legs):
        own = [LegReport(id=leg, framework=leg.partition("/")[2]) for leg in legs if leg.startswith(name)]
        found = [v for leg in own for v in variants(leg.id, measured)]
        agreement = agreement_of(own, found, [answers(legs, liar)] if answered else [])
        targets.append(target_report(name, "cpu", "best", own, found, agreement))
    passed = StageReport(stage="optimization", verdict=Verdict.PASS, reason=f"{2 * len(legs)} variants in {len(legs)} legs")
    stage = checked(passed, targets, pipeline)
    return Report(
        schema="gatekeeper/report/v1", verdict=report_verdict(targets, [stage]), model=ModelInfo(path="m", sha256="m"),
        pipeline=pipeline, targets=targets, stages=[stage],
    )  # fmt: skip


def merged(reports: Sequence[Report], liar: str = "", **instead: Any) -> Report:
    """The legs' reports with their answers; `instead` of those of a leg's number, others or none."""

    def came(index: int) -> Answers:
        found = instead.get(f"of{index}", answers([leg.id for t in reports[index].targets for leg in t.legs], liar))
        if found is None:
            raise NotMeasured("data", "no answers.npz came beside its report")
        assert isinstance(found, Answers)
        return found

    return merge(reports, answers=came)


@pytest.mark.parametrize("liar", ["", "x86/openvino/int4"])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_merged_legs_are_what_one_run_of_all_is(liar: str, order: tuple[int, ...]) -> None:
    whole = ran(*LEGS, liar=liar)
    parts = [ran(LEGS[i], liar=liar) for i in order]
    found = merged(parts, liar)
    assert (found.targets, found.stages, found.verdict) == (whole.targets, whole.stages, whole.verdict)
    agreement = found.targets[0].agreement
    assert agreement is not None
    assert len(agreement.names) == 6
    assert agreement.findings == found.targets[0].notes
    assert bool(agreement.findings) is bool(liar)
    if liar:
        assert (
            "7.5 % of the examples alone, where all 5 others agree: look at it, although its accuracy holds"
            in (agreement.findings[0])
        )


def test_a_difference_changes_no_verdict() -> None:
    assert ran(*LEGS, liar="x86/openvino/int4").verdict is Verdict.PASS


def test_merging_the_merged_changes_nothing() -> None:
    found = merged([ran(leg) for leg in LEGS])
    assert merge([found]) == found


def test_a_part_leaves_to_the_merge_what_it_cannot_know() -> None:
    part = ran(LEGS[0])
    assert part.verdict is Verdict.PASS
    assert part.stages[0].reason.endswith("left to the merged report: the comparison across the legs of x86")
    assert part.targets[0].agreement is not None
    assert len(part.targets[0].agreement.names) == 3
    assert "left to" not in ran(*LEGS[:2]).stages[0].reason, "the target is whole, if not the plan"


def test_answers_that_did_not_come_are_noted() -> None:
    found = merged([ran(leg) for leg in LEGS], of1=None)
    agreement = found.targets[0].agreement
    assert agreement is not None
    assert agreement.names == [f"{LEGS[0]}/{name}" for name in ("baseline", "int8", "int4")]
    assert found.targets[0].notes == ["x86/openvino: no answers.npz came beside its report"]
    assert found.verdict is Verdict.PASS


def test_where_no_answers_came_at_all_there_is_no_cross_validation() -> None:
    found = merged([ran(leg) for leg in LEGS], of0=None, of1=None)
    [stage] = found.stages
    assert (stage.verdict, stage.where, found.verdict) == (Verdict.ERROR, CROSS, Verdict.ERROR)
    assert (
        "x86: cross_validation needs the answers of 2 models to the evaluation set and has 0 (x86/onnx_runtime: no"
        in stage.reason
    )


def test_nobody_answers_for_another() -> None:
    found = merged([ran(leg) for leg in LEGS], of0=answers(LEGS[:2]))
    assert found.targets[0].agreement is not None
    assert [n.rpartition("/")[0] for n in found.targets[0].agreement.names] == [LEGS[1]] * 3
    assert found.targets[0].notes == ["x86/onnx_runtime: the answers beside its report are of other legs"]


def test_answers_to_another_set_are_noted() -> None:
    found = merged([ran(leg) for leg in LEGS], of1=answers(LEGS[1:2], dataset="other"))
    assert len(found.targets[0].notes) == 3
    assert all("it answered other examples than x86/onnx_runtime/baseline" in note for note in found.targets[0].notes)


def test_a_leg_that_made_nothing_has_nothing_to_send() -> None:
    broken = ran(LEGS[1])
    [target] = broken.targets
    none = [msgspec.structs.replace(v, artifact=None, verdict=Verdict.ERROR, gates=[]) for v in target.variants]
    broken = msgspec.structs.replace(broken, targets=[msgspec.structs.replace(target, variants=none)])
    assert merged([ran(LEGS[0]), broken, ran(LEGS[2])], of1=None).targets[0].notes == []


def test_answers_are_read_only_where_reports_meet() -> None:
    """A thousand targets of one leg each need none of their files."""
    manifest = [f"t{i}/onnx_runtime" for i in range(3)]
    found = merge([ran(leg, manifest=manifest) for leg in manifest])
    assert found.verdict is Verdict.PASS
    assert all(t.agreement and len(t.agreement.names) == 3 for t in found.targets)


def test_what_was_not_asked_for_is_not_checked() -> None:
    reports = [ran(leg) for leg in LEGS]
    silent = [
        msgspec.structs.replace(r, pipeline=PipelineInfo(path="p", sha256="p" * 64, legs=LEGS), targets=r.targets)
        for r in reports
    ]
    found = merge(silent)
    assert found.verdict is Verdict.PASS
    assert all(t.agreement is None for t in found.targets)


def test_a_run_without_answers_is_an_error_with_its_line() -> None:
    found = ran(*LEGS, answered=False)
    assert (found.verdict, found.stages[0].where) == (Verdict.ERROR, CROSS)
    assert "has 0." in found.stages[0].reason


def test_fewer_than_two_measured_variants_are_no_comparison() -> None:
    legs = LEGS[:2]
    found = ran(*legs, measured=False, manifest=legs)
    assert (found.verdict, found.stages[0].where) == (Verdict.ERROR, PERFORMANCE)
    assert "x86: performance_comparison is required and needs 2 measured variants; of 4, 0 could be" in found.stages[0].reason
    parts = [ran(leg, measured=False, manifest=legs) for leg in legs]
    assert all(part.stages[0].verdict is Verdict.PASS for part in parts), "the merge decides that"
    assert merged(parts).stages == found.stages


def test_an_error_stays_the_error_it_is() -> None:
    error = StageReport(stage="optimization", verdict=Verdict.ERROR, reason="no GPU", where="p.yaml:1")
    pipeline = PipelineInfo(path="p", sha256="p", legs=LEGS, cross_validation=CROSS)
    assert checked(error, ran(*LEGS, answered=False).targets, pipeline) is error
    other = StageReport(stage="model_validation", verdict=Verdict.PASS)
    assert checked(other, ran(*LEGS, answered=False).targets, pipeline) is other
