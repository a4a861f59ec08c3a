from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.support import round_data

from gatekeeper.config.limits import Limit
from gatekeeper.errors import ExitCode
from gatekeeper.gates import package_size
from gatekeeper.gates._base import gate, names
from gatekeeper.measure.race import performance
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Artifact
from gatekeeper.records.report import LegReport, ModelInfo, PipelineInfo, Report, VariantReport
from gatekeeper.verdicts.gates import judge_gate, unmeasured_gate
from gatekeeper.verdicts.judge import (
    all_of,
    any_of,
    best_first,
    exit_code,
    passing,
    target_verdict,
    variant_verdict,
)

VERDICTS = st.lists(st.sampled_from(list(Verdict)), max_size=6)
PASS, FAIL, INCONCLUSIVE, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIP
EVIDENCE = Evidence(artifact=Artifact(path="m.onnx", sha256="0" * 64, bytes=1000))


def result(verdict: Verdict, blocking: bool = True, name: str = "memory", lower: float | None = None) -> GateResult:
    return GateResult(gate=name, verdict=verdict, blocking=blocking, lower=lower)


def variant(name: str, verdict: Verdict = PASS, speed: float | None = None, size: int | None = None) -> VariantReport:
    return VariantReport(
        id=name,
        framework="onnx_runtime",
        technique=name,
        verdict=verdict,
        artifact=None if size is None else Artifact(path=name, sha256="", bytes=size),
        gates=[] if speed is None else [result(PASS, name="speedup", lower=speed)],
    )


def leg(error: str = "") -> LegReport:
    return LegReport(id="x86/onnx_runtime", framework="onnx_runtime", error=error)


def report(verdict: Verdict, on_inconclusive: Any = "fail") -> Report:
    return Report(
        schema="gatekeeper/report/v1",
        verdict=verdict,
        model=ModelInfo(path="m.onnx", sha256=""),
        pipeline=PipelineInfo(path="p.yaml", sha256="", on_inconclusive=on_inconclusive),
        targets=[],
    )


def limit(maximum: str | None = "2kB", on_fail: Any = "fail") -> Limit:
    config = None if maximum is None else package_size.Config(max=maximum, on_fail=on_fail)
    return Limit(name="package_size", gate=gate("package_size"), config=config, where="edge_ai_pipeline.yaml:14")


@given(VERDICTS)
def test_all_of_passes_only_if_there_is_something_and_all_of_it_passes(verdicts: list[Verdict]):
    assert (all_of(verdicts) is PASS) == (bool(verdicts) and set(verdicts) == {PASS})


@given(VERDICTS)
def test_all_of_fails_iff_one_fails(verdicts: list[Verdict]):
    assert (all_of(verdicts) is FAIL) == (FAIL in verdicts)


@given(VERDICTS)
def test_any_of_passes_iff_one_passes(verdicts: list[Verdict]):
    assert (any_of(verdicts) is PASS) == (PASS in verdicts)


@given(VERDICTS)
def test_any_of_fails_only_if_nothing_is_open(verdicts: list[Verdict]):
    open_ones = {PASS, ERROR, INCONCLUSIVE}
    assert (any_of(verdicts) is FAIL) == (FAIL in verdicts and not open_ones & set(verdicts))


@given(VERDICTS, st.randoms())
def test_order_does_not_matter(verdicts: list[Verdict], random: Any):
    shuffled = random.sample(verdicts, len(verdicts))
    assert (all_of(verdicts), any_of(verdicts)) == (all_of(shuffled), any_of(shuffled))


@given(VERDICTS)
def test_a_sum_is_never_a_skip(verdicts: list[Verdict]):
    assert SKIP not in (all_of(verdicts), any_of(verdicts))


@pytest.mark.parametrize("verdicts", [[], [SKIP], [SKIP, SKIP]])
def test_nothing_and_skips_are_never_a_pass(verdicts: list[Verdict]):
    assert all_of(verdicts) is ERROR
    assert any_of(verdicts) is ERROR


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        ([PASS, SKIP], ERROR),
        ([ERROR, FAIL], FAIL),
        ([INCONCLUSIVE, ERROR], ERROR),
        ([PASS, INCONCLUSIVE], INCONCLUSIVE),
        (iter([PASS, PASS]), PASS),
    ],
)
def test_all_of_by_hand(verdicts: Any, together: Verdict):
    assert all_of(verdicts) is together


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [([FAIL, SKIP], FAIL), ([FAIL, ERROR], ERROR), ([INCONCLUSIVE, FAIL], INCONCLUSIVE), ([ERROR, INCONCLUSIVE], ERROR)],
)
def test_any_of_by_hand(verdicts: list[Verdict], together: Verdict):
    assert any_of(verdicts) is together


@given(VERDICTS, VERDICTS)
def test_gates_that_only_warn_do_not_count(blocking: list[Verdict], warning: list[Verdict]):
    gates = [result(v) for v in blocking] + [result(v, blocking=False) for v in warning]
    found = variant_verdict(gates)
    assert found is all_of(blocking) or (found is Verdict.SKIP and set(blocking) == {Verdict.PASS, Verdict.SKIP})


def test_a_variant_with_a_skipped_gate_is_not_a_passing_one():
    assert variant_verdict([result(Verdict.PASS), result(Verdict.SKIP)]) is Verdict.SKIP
    assert variant_verdict([result(Verdict.FAIL), result(Verdict.SKIP)]) is Verdict.FAIL
    assert variant_verdict([result(Verdict.SKIP)]) is Verdict.ERROR


def test_a_variant_whose_gates_all_warn_does_not_pass():
    assert variant_verdict([result(PASS, blocking=False)]) is ERROR


@pytest.mark.parametrize(("maximum", "verdict"), [("2kB", PASS), ("500B", FAIL)])
def test_a_gate_is_tied_to_its_limit_and_line(maximum: str, verdict: Verdict):
    found = judge_gate(limit(maximum), EVIDENCE)
    assert found.verdict is verdict
    assert (found.gate, found.unit, found.where) == ("package_size", "bytes", "edge_ai_pipeline.yaml:14")
    assert found.limit == {"2kB": 2000.0, "500B": 500.0}[maximum]
    assert found.blocking


def test_a_gate_that_warns_reports_its_failure_without_blocking():
    found = judge_gate(limit("500B", on_fail="warn"), EVIDENCE)
    assert found.verdict is FAIL
    assert not found.blocking


def test_a_disabled_gate_is_skipped_even_if_nothing_was_measured():
    for found in (judge_gate(limit(None), EVIDENCE), unmeasured_gate(limit(None), "crashed")):
        assert found.verdict is SKIP
        assert not found.blocking
        assert "disabled" in found.reason
        assert found.limit is None


def test_a_gate_on_a_variant_that_could_not_run_is_an_error_with_its_reason():
    found = unmeasured_gate(limit(), "the worker crashed")
    assert (found.verdict, found.reason, found.blocking) == (ERROR, "the worker crashed", True)


@pytest.mark.parametrize("name", [n for n in names() if gate(n).DEFAULT is not None])
def test_every_default_gate_without_measurements_is_a_blocking_error(name: str):
    config = gate(name).DEFAULT
    found = judge_gate(Limit(name=name, gate=gate(name), config=config, where="default"), EVIDENCE)
    assert found.verdict is ERROR
    assert found.blocking
    assert found.limit == getattr(config, gate(name).limit_key)


def select(variants: list[VariantReport], one_machine: bool = False) -> str | None:
    return next((each.id for each in best_first(passing(variants), one_machine)), None)


def test_what_is_preferred_is_the_fastest_that_passes():
    variants = [variant("a", speed=2.5), variant("b", speed=4.0), variant("c", FAIL, speed=9.0), variant("d", SKIP, speed=9.0)]
    assert select(variants) == "b"


def test_what_is_preferred_is_the_smaller_file_where_speed_is_equal_or_unknown():
    assert select([variant("a", speed=2.5, size=200), variant("b", speed=2.5, size=100)]) == "b"
    assert select([variant("a", size=200), variant("b", size=100)]) == "b"


def test_what_is_preferred_does_not_depend_on_the_order():
    variants = [variant("b", speed=2.0, size=5), variant("a", speed=2.0, size=5)]
    assert select(variants) == select(variants[::-1]) == "a"


def test_what_is_preferred_of_nothing_that_passes_is_none():
    assert select([]) is None
    assert select([variant("a", FAIL), variant("b", INCONCLUSIVE), variant("c", SKIP), variant("d", ERROR)]) is None


def timed(name: str, latency_ns: float, speed: float, **more: Any) -> VariantReport:
    found = performance([round_data(0, latency_ns)], 1, "pss")
    return msgspec.structs.replace(variant(name, speed=speed, **more), performance=found)


def test_on_one_machine_the_lowest_latency_is_the_fastest_whatever_it_is_compared_with():
    """`a` is 4x of a slow framework's baseline, `b` 2x of a fast one's."""
    variants = [timed("a", 500, 4.0), timed("b", 200, 2.0), timed("c", 100, 9.0, verdict=FAIL)]
    assert select(variants, one_machine=True) == "b"
    assert select(variants) == "a"


def test_of_equal_latencies_the_smaller_file_is_best():
    variants = [timed("a", 200, 2.0, size=20), timed("b", 200, 1.0, size=10), timed("c", 201, 3.0, size=1)]
    assert select(variants, one_machine=True) == select(variants[::-1], one_machine=True) == "b"


def test_where_a_latency_is_not_known_speedups_decide():
    assert select([timed("a", 100, 2.0), variant("b", speed=3.0)], one_machine=True) == "b"
    assert select([timed("a", 100, 2.0), variant("b", FAIL)], one_machine=True) == "a"


@pytest.mark.parametrize(
    ("require", "verdicts", "together"),
    [
        ("best", [PASS, FAIL], PASS),
        ("all", [PASS, FAIL], FAIL),
        ("best", [FAIL, INCONCLUSIVE], INCONCLUSIVE),
        ("all", [PASS, SKIP], PASS),
        ("best", [SKIP], ERROR),
        ("all", [SKIP], ERROR),
        ("best", [], ERROR),
        ("all", [], ERROR),
    ],
)
def test_verdict_of_a_target(require: str, verdicts: list[Verdict], together: Verdict):
    variants = [variant(str(i), v) for i, v in enumerate(verdicts)]
    assert target_verdict(require, variants, [leg()]) is together


@pytest.mark.parametrize("require", ["best", "all"])
def test_a_leg_that_could_not_run_blocks_its_target(require: str):
    assert target_verdict(require, [variant("a")], [leg(), leg("no GPU")]) is ERROR


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (PASS, ExitCode.PASS),
        (FAIL, ExitCode.FAILED),
        (INCONCLUSIVE, ExitCode.INCONCLUSIVE),
        (ERROR, ExitCode.NOT_MEASURED),
        (SKIP, ExitCode.NOT_MEASURED),
    ],
)
def test_exit_codes(verdict: Verdict, code: ExitCode):
    assert exit_code(report(verdict)) is code


@pytest.mark.parametrize("verdict", list(Verdict))
def test_warning_of_an_open_question_changes_no_other_exit_code(verdict: Verdict):
    relaxed = exit_code(report(verdict, on_inconclusive="warn"))
    assert relaxed is (ExitCode.PASS if verdict is INCONCLUSIVE else exit_code(report(verdict)))


def test_only_a_pass_exits_with_zero_by_default():
    assert [v for v in Verdict if exit_code(report(v)) == 0] == [PASS]
