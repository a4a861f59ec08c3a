"""A report beside the base branch's: what is told apart from noise."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from kit.hand_built import gate, report, variant

from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Before, Waiver
from gatekeeper.records.report import Base, LegReport, Report, StageReport, VariantReport
from gatekeeper.verdicts.compare import compared
from gatekeeper.verdicts.merge import merge

PASS, FAIL, OPEN, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIP
ID = "x86/onnx_runtime/int8"


def fast(name: str = ID, lower: float = 2.5, upper: float = 3.0, verdict: Verdict = PASS, **more: Any) -> VariantReport:
    return variant(name, gate("speedup", verdict, lower, upper, **more), gate("accuracy", PASS, 0.97, 1.0, limit=0.95))


def against(here: Report, before: Report) -> Base:
    """The comparison; it changes no verdict, and a second one is as the first."""
    found = compared(here, before)
    assert found.base is not None
    assert compared(found, before) == found
    assert [t.verdict for t in found.targets] == [t.verdict for t in here.targets]
    return found.base


def test_each_gate_stands_beside_what_it_was() -> None:
    before = report(fast(lower=3.5, upper=4.0, limit=1.5), commit="b" * 40, created="2031-05-01T00:00:00Z")
    found = compared(report(fast(), fast("x86/onnx_runtime/fp16"), commit="a" * 40), before)
    [int8, fp16] = found.targets[0].variants
    assert int8.gates[0].before == Before(verdict=PASS, observed=3.5, lower=3.5, upper=4.0, limit=1.5)
    assert [g.before for g in fp16.gates] == [None, None]
    assert found.base == Base(
        verdict=PASS, commit="b" * 40, created="2031-05-01T00:00:00Z", same_model=True, gone=[],
        new=["x86/onnx_runtime/fp16"], loosened=[], changed=True,
    )  # fmt: skip


def test_a_gate_that_is_new_has_no_past() -> None:
    found = compared(report(fast()), report(variant(ID, gate("accuracy", PASS, 0.97, 1.0, limit=0.95))))
    assert [g.before is None for g in found.targets[0].variants[0].gates] == [True, False]
    assert found.base is not None and found.base.changed


def test_another_model_is_said() -> None:
    assert not against(report(fast()), report(fast(), model="n" * 64)).same_model


WAIVED = {"waiver": Waiver(ceiling=1.0, reason="why", owner="x", expires="2031-01-01"), "blocking": False}
SAME = report(fast())


@pytest.mark.parametrize(
    ("here", "changed"),
    [
        (report(fast()), False),
        (report(fast(lower=2.9, upper=3.6)), False),
        (report(fast(lower=3.0, upper=3.6)), False),
        (report(fast(lower=3.01, upper=3.6)), True),
        (report(fast(lower=2.1, upper=2.4)), True),
        (report(fast(verdict=OPEN)), True),
        (report(fast(verdict=FAIL)), True),
        (report(fast(limit=1.9)), True),
        (report(fast(limit=2.1)), True),
        (report(fast(blocking=False)), True),
        (report(fast(verdict=FAIL, **WAIVED)), True),
        (report(fast(), fast("x86/onnx_runtime/fp16")), True),
        (report(fast("x86/onnx_runtime/fp16")), True),
        (report(fast(), fast("arm/onnx_runtime/int8")), True),
        (report(variant(ID, *fast().gates, gate("package_size", PASS, 1.0, 1.0))), True),
    ],
)
def test_what_differs_by_more_than_noise_is_a_change(here: Report, changed: bool) -> None:
    assert against(here, SAME).changed is changed


def test_a_gate_that_only_warns_may_waver() -> None:
    wobbly = [gate("stability", v, 0.1, 0.3, limit=0.2, blocking=False) for v in (OPEN, PASS)]
    before, here = (report(variant(ID, *fast().gates, each)) for each in wobbly)
    assert not against(here, before).changed


def test_limits_that_were_stricter_are_named_once_for_all_variants() -> None:
    before = report(fast(limit=2.0), fast("x86/onnx_runtime/fp16", limit=2.0))
    here = report(fast(limit=1.2), fast("x86/onnx_runtime/fp16", limit=1.2))
    assert against(here, before).loosened == ["x86: speedup ≥ 2.00x in the base report, ≥ 1.20x here"]
    assert against(before, here).loosened == []


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ([gate("package_size", PASS, 1e6, 1e6, limit=5e7)], None),
        ([gate("package_size", PASS, 1e6, 1e6, limit=4e7)], None),
        ([gate("package_size", PASS, 1e6, 1e6, limit=6e7)], "x86: package_size ≤ 50 MB in the base report, ≤ 60 MB here"),
        (
            [gate("package_size", FAIL, 1e6, 1e6, limit=5e7, blocking=False)],
            "x86: package_size ≤ 50 MB in the base report, ≤ 50 MB here and without blocking",
        ),
        (
            [gate("package_size", SKIP, limit=None, blocking=False)],
            "x86: package_size ≤ 50 MB in the base report, disabled here",
        ),
        ([gate("package_size", FAIL, 1e6, 1e6, limit=5e7, **WAIVED)], None),
        ([], "x86: package_size ≤ 50 MB in the base report, not here"),
    ],
)
def test_every_way_to_loosen_a_limit_is_seen(now: list[Any], says: str | None) -> None:
    before = report(variant(ID, gate("speedup", PASS, 2.5, 3.0), gate("package_size", PASS, 1e6, 1e6, limit=5e7)))
    found = against(report(variant(ID, gate("speedup", PASS, 2.5, 3.0), *now)), before)
    assert found.loosened == ([says] if says else [])


@pytest.mark.parametrize(
    ("before", "now", "says"),
    [
        ((5.0, True), (7.0, True), None),
        ((5.0, True), (7.0, False), "≤ 5 ms in the base report, ≤ 7 ms here"),
        ((5.0, False), (7.0, True), "≤ 5 ms in the base report, ≤ 7 ms here"),
        ((5.0, False), (4.0, True), None),
    ],
)
def test_a_limit_that_is_measured_in_each_run_is_not_loosened_by_that(
    before: tuple[float, bool], now: tuple[float, bool], says: str | None
) -> None:
    """Such as the baseline's p99, where the file declares no limit."""
    reports = []
    for limit, measured in (before, now):
        p99 = gate("p99_latency", PASS, 2.0, 3.0, limit=limit, unit="ms", bound="at_most", measured_limit=measured)
        reports.append(report(variant(ID, *fast().gates, p99)))
    found = against(reports[1], reports[0])
    assert found.loosened == ([f"x86: p99_latency {says}"] if says else [])
    assert found.changed is (not (before[1] and now[1]))


def test_gates_of_a_stage_that_the_run_did_not_come_to_are_not_loosened() -> None:
    tests = gate("unit_tests", PASS, 0.0, 0.0, limit=0.0, unit="failed checks", bound="at_most")
    before, here = report(variant(ID, *fast().gates, tests)), report(fast(verdict=FAIL))
    assert against(here, before).loosened == ["x86: unit_tests ≤ 0 failed checks in the base report, not here"]
    ended = [StageReport(stage="testing", verdict=ERROR, reason="not run", blocked_by="optimization")]
    assert against(msgspec.structs.replace(here, stages=ended), before).loosened == []


def test_a_limit_that_only_warned_was_none() -> None:
    before = report(fast(limit=3.0, blocking=False))
    assert against(report(fast(limit=2.0, blocking=False)), before).loosened == []


def test_variants_that_are_gone_are_named_and_those_of_other_jobs_are_not() -> None:
    before = report(fast(), fast("x86/onnx_runtime/fp16"), fast("x86/openvino/int8"), fast("arm/onnx_runtime/int8"))
    whole = report(fast())
    assert against(whole, before).gone == ["x86/onnx_runtime/fp16", "x86/openvino/int8", "arm/onnx_runtime/int8"]
    one_leg = report(fast(), manifest=["x86/onnx_runtime", "x86/openvino", "arm/onnx_runtime"])
    assert against(one_leg, before).gone == ["x86/onnx_runtime/fp16"]


def test_what_did_not_come_back_is_not_gone() -> None:
    before = report(fast(), fast("x86/openvino/int8"))
    merged = merge([report(fast(), manifest=["x86/onnx_runtime", "x86/openvino"])])
    found = against(merged, before)
    assert (found.gone, found.changed) == ([], True)


def test_a_base_report_of_something_else_matches_nothing_and_says_so() -> None:
    found = compared(report(fast()), report(fast("riscv/onnx_runtime/int8")))
    assert [g.before for g in found.targets[0].variants[0].gates] == [None, None]
    assert found.notes == [
        "base report: nothing could be compared, it has none of these variants. Was it made from this pipeline file?"
    ]
    assert found.base is not None and found.base.changed


def test_a_report_rendered_again_keeps_its_comparison_and_a_part_of_one_does_not() -> None:
    legs = ["x86/onnx_runtime", "x86/openvino"]
    whole = compared(report(fast(), fast("x86/openvino/int8")), SAME)
    assert merge([whole]) == whole
    parts = [compared(report(fast(f"{leg}/int8"), manifest=legs), SAME) for leg in legs]
    found = merge(parts)
    assert found.base is None
    assert not [g for v in found.targets[0].variants for g in v.gates if g.before]


def test_a_failed_leg_without_variants_is_compared_by_its_verdict() -> None:
    failed = report(fast())
    target = msgspec.structs.replace(
        failed.targets[0],
        variants=[],
        verdict=ERROR,
        legs=[LegReport(id="x86/onnx_runtime", framework="onnx_runtime", error="gone")],
    )
    found = against(msgspec.structs.replace(failed, targets=[target], verdict=ERROR), SAME)
    assert (found.changed, found.gone, found.loosened) == (True, [], [])
