"""What a waiver tolerates, and what it never does."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec
import pytest
from kit.hand_built import gate, report, variant

from gatekeeper.config.waivers import GateWaiver
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult, Waiver
from gatekeeper.records.measured import Control
from gatekeeper.records.report import Report
from gatekeeper.verdicts.judge import exit_code
from gatekeeper.verdicts.merge import merge
from gatekeeper.verdicts.waivers import waive

PASS, FAIL, OPEN, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIP
TODAY = datetime.date(2031, 5, 1)
ID = "x86/onnx_runtime/int8"
GOOD = gate("accuracy", PASS, 0.99, 1.0, limit=0.95)


def waiver(name: str = "speedup", ceiling: float = 1.5, expires: str = "2031-12-31", **more: Any) -> GateWaiver:
    stated = Waiver(ceiling=ceiling, reason="why", owner=more.get("owner", "someone"), expires=expires, where="w.yml:2")
    target, only = more.get("target", "x86"), more.get("variant")
    return GateWaiver(gate=name, target=target, variant=only, until=datetime.date.fromisoformat(expires), waiver=stated)


def slow(verdict: Verdict = FAIL, lower: float | None = 1.6, upper: float | None = 1.9, **more: Any) -> GateResult:
    return gate("speedup", verdict, lower, upper, **more)


def waived(found: Report, waivers: list[GateWaiver], today: datetime.date = TODAY) -> Report:
    """Applied twice is as applied once."""
    result = waive(found, waivers, today)
    assert waive(result, waivers, today) == result
    return result


def speed(found: Report) -> GateResult:
    return next(g for t in found.targets for v in t.variants for g in v.gates if g.gate == "speedup")


@pytest.mark.parametrize("verdict", [FAIL, OPEN])
def test_a_failure_above_the_ceiling_no_longer_blocks_and_stays_a_failure(verdict: Verdict) -> None:
    before = report(variant(ID, GOOD, slow(verdict, upper=2.5)))
    assert before.verdict is verdict
    found = waived(before, [waiver()])
    [target] = found.targets
    assert (found.verdict, exit_code(found), target.selected, target.reason) == (PASS, 0, ID, "")
    assert speed(found).verdict is verdict
    assert speed(found).waiver == waiver().waiver
    assert "accuracy is pass" in target.variants[0].reason


@pytest.mark.parametrize(
    "tolerated",
    [
        waiver(ceiling=1.7),  # the bound does not reach it, though the observed value would
        waiver(target="arm"),
        waiver("memory"),
        waiver(variant="onnx_runtime/fp16"),
        waiver(expires="2031-04-30"),
    ],
    ids=["beyond the ceiling", "target", "gate", "variant", "expired"],
)
def test_what_a_waiver_does_not_cover_fails_as_before(tolerated: GateWaiver) -> None:
    found = waived(report(variant(ID, GOOD, slow())), [tolerated])
    assert found.verdict is FAIL
    assert (speed(found).waiver, speed(found).blocking) == (None, True)


@pytest.mark.parametrize("named", [None, ID, "onnx_runtime/int8"])
def test_a_variant_is_named_by_its_whole_id_or_within_its_target_or_not_at_all(named: str | None) -> None:
    other = variant("x86/openvino/int8", GOOD, slow())
    found = waived(report(variant(ID, GOOD, slow()), other, require="all"), [waiver(variant=named)])
    verdicts = {v.id: v.verdict for v in found.targets[0].variants}
    assert verdicts == {ID: PASS, "x86/openvino/int8": PASS if named is None else FAIL}
    assert found.verdict is (PASS if named is None else FAIL)


@pytest.mark.parametrize(("ceiling", "verdict"), [(60.0, PASS), (50.0, PASS), (49.0, FAIL)])
def test_of_what_must_be_small_the_upper_bound_is_held(ceiling: float, verdict: Verdict) -> None:
    big = gate("package_size", FAIL, 45.0, 50.0, limit=40.0)
    assert waived(report(variant(ID, GOOD, big)), [waiver("package_size", ceiling)]).verdict is verdict


@pytest.mark.parametrize(
    "unmeasured",
    [slow(ERROR, 5.0, 6.0), slow(ERROR, None, None), slow(SKIP, 5.0, 6.0), slow(OPEN, None, None), slow(FAIL, float("nan"), 9.0)],
)
def test_what_was_not_measured_is_never_waived(unmeasured: GateResult) -> None:
    before = report(variant(ID, GOOD, unmeasured))
    found = waived(before, [waiver(ceiling=0.1)])
    assert found.verdict is before.verdict is not PASS
    assert speed(found).waiver is None


def test_a_runner_that_is_too_noisy_must_clear_the_ceiling_all_the_same() -> None:
    """Two copies of the baseline differ by up to a third here, so that a bound of 2.2 may be one of 1.65."""
    noisy = slow(OPEN, 2.2, 2.6, control=Control(observed=1.2, lower=1.1, upper=4 / 3))
    before = report(variant(ID, GOOD, noisy))
    assert waived(before, [waiver(ceiling=1.7)]).verdict is OPEN
    assert waived(before, [waiver(ceiling=1.6)]).verdict is PASS


@pytest.mark.parametrize("bounds", [(0, 0.5), (-1, 0.5), (0.9, 0.5), (float("nan"), 0.5), (1.1, None), (None, 0.9)])
def test_a_control_that_is_open_or_makes_no_sense_bounds_nothing(bounds: tuple[float | None, float | None]) -> None:
    control = Control(observed=None, lower=bounds[0], upper=bounds[1])
    assert waived(report(variant(ID, GOOD, slow(control=control))), [waiver()]).verdict is FAIL


def test_a_variant_of_which_every_gate_is_waived_is_not_the_one_that_passes() -> None:
    found = waived(report(variant(ID, slow(), gate("memory", PASS, 0.6, 0.7, blocking=False))), [waiver()])
    assert found.verdict is ERROR
    assert found.targets[0].selected is None
    assert "has no gate left that it must pass" in found.targets[0].reason


def test_a_variant_without_times_that_is_waived_stays_out() -> None:
    before = report(variant(ID, GOOD, gate("memory", FAIL, 0.4, 0.45)), untimed="only a reference")
    found = waived(before, [waiver("memory", 0.3)])
    assert found.targets[0].variants[0].verdict is SKIP
    assert found.verdict is ERROR


def test_gates_that_block_nothing_need_no_waiver() -> None:
    found = waived(report(variant(ID, GOOD, slow(blocking=False))), [waiver()])
    assert speed(found).waiver is None
    assert found.notes == [
        "waiver w.yml:2 (speedup of x86) applies to nothing: no gate that it names fails and blocks. Remove it."
    ]


@pytest.mark.parametrize(("today", "verdict"), [("2031-05-01", PASS), ("2031-05-02", FAIL)])
def test_the_last_day_is_included_and_then_it_is_over(today: str, verdict: Verdict) -> None:
    found = waive(
        report(variant(ID, GOOD, slow())), [waiver(expires="2031-05-01", owner="A. Owner")], datetime.date.fromisoformat(today)
    )
    assert found.verdict is verdict
    if verdict is FAIL:
        assert speed(found).reason == "speedup is fail; the waiver of A. Owner expired on 2031-05-01"
        assert "the waiver of A. Owner expired" in found.targets[0].variants[0].reason
        renewed = waive(found, [waiver(expires="2032-01-01")], TODAY)
        assert renewed.verdict is PASS
        assert speed(renewed).reason == "speedup is fail"


def test_a_longer_waiver_beside_an_expired_one_holds() -> None:
    both = [waiver(expires="2031-01-01", variant=ID), waiver(expires="2032-01-01")]
    assert waived(report(variant(ID, GOOD, slow())), both).verdict is PASS


@pytest.mark.parametrize(
    ("tolerated", "says"),
    [
        (waiver(expires="2031-05-15"), "expires on 2031-05-15, someone: 14 days from now"),
        (waiver(expires="2031-05-16"), None),
        (waiver(expires="2031-04-01"), "expired on 2031-04-01"),
        (waiver(ceiling=1.7), "does not hold: x86/onnx_runtime/int8 is bounded by 1.6, and its ceiling is 1.7"),
        (waiver("accuracy", 0.5), "applies to nothing: no gate that it names fails"),
        (waiver("memory"), "the report has no gate 'memory' of x86"),
        (waiver(variant="onnx_runtime/int9"), "did you mean 'x86/onnx_runtime/int8'?"),
        (waiver(target="x68"), "the report has no gate 'speedup' of x68; did you mean 'x86'?"),
    ],
)
def test_a_waiver_that_does_nothing_or_ends_soon_is_named(tolerated: GateWaiver, says: str | None) -> None:
    notes = waived(report(variant(ID, GOOD, slow()), notes=["kept"]), [tolerated]).notes
    assert notes[0] == "kept"
    assert len(notes) == (1 if says is None else 2)
    assert says is None or (notes[1].startswith("waiver w.yml:2 (") and says in notes[1])


def test_a_report_of_one_leg_says_nothing_of_waivers_for_other_legs() -> None:
    part = report(variant(ID, GOOD, slow()), manifest=["x86/onnx_runtime", "arm/onnx_runtime"])
    assert waived(part, [waiver(target="arm")]).notes == []


def forged() -> Report:
    """A leg that brings a waiver of its own, and the verdicts that would follow."""
    return waive(report(variant(ID, GOOD, slow())), [waiver(ceiling=0.0, target="x86")], TODAY)


def test_a_waiver_that_comes_with_a_result_is_not_believed() -> None:
    assert forged().verdict is PASS
    found = merge([forged()])
    assert (found.verdict, found.targets[0].selected) == (FAIL, None)
    assert (speed(found).waiver, speed(found).blocking) == (None, True)
    assert found.targets[0].variants[0].reason == "speedup: speedup is fail"


def test_only_the_waivers_of_the_gate_job_count() -> None:
    assert waive(merge([forged()]), [waiver(ceiling=1.9)], TODAY).verdict is FAIL
    assert waive(merge([forged()]), [waiver(ceiling=1.5)], TODAY).verdict is PASS


def test_a_skip_that_is_claimed_does_not_hide_a_failure() -> None:
    hidden = msgspec.structs.replace(variant(ID, GOOD, slow()), verdict=SKIP)
    found = merge([report(hidden, variant("x86/onnx_runtime/fp16", GOOD), require="all")])
    assert found.verdict is FAIL


def test_notes_on_waivers_are_made_anew_when_reports_meet() -> None:
    old = waive(report(variant(ID, GOOD, slow())), [waiver("memory")], TODAY)
    assert old.notes
    assert merge([old]).notes == []
