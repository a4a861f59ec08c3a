"""A rehearsal judged again from its record: edited ones, lazy ones and ones that lie do not pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from kit.measured import Made, measured
from kit.rehearsed import rehearsal, scenario

from gatekeeper.deploy.faults._base import fault, in_order
from gatekeeper.deploy.faults.leak import KEPT_BYTES
from gatekeeper.deploy.rehearsal import TIMEOUT_MS
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import StageReport
from gatekeeper.records.rollout import Decision, Rehearsal, Ruling
from gatekeeper.stats.rehearsal import (
    _SHOWS,
    GROWN_BYTES,
    HEALTHY,
    LOSES,
    MUST,
    NOT_PROMOTED,
    SLOWEST_MS,
    judge_rehearsal,
)
from gatekeeper.verdicts.deployed import together
from gatekeeper.verdicts.rehearsed import FAULTS, STAGING, judge_rehearsals, of_selected

FAULTS_HERE = in_order()


def edited(name: str, **changes: Any) -> Rehearsal:
    whole = rehearsal()
    own = [msgspec.structs.replace(each, **changes) if each.name == name else each for each in whole.scenarios]
    return msgspec.structs.replace(whole, scenarios=own)


def test_an_honest_record_passes() -> None:
    verdict, reason = judge_rehearsal(rehearsal(), FAULTS_HERE)
    assert verdict is Verdict.PASS and f"{len(FAULTS_HERE)} faults arrived" in reason, reason


def test_what_must_not_be_lost_is_what_the_faults_say() -> None:
    said = {name: own for name in FAULTS_HERE if (own := getattr(fault(name), "LOSES", ""))}
    assert said | {HEALTHY: "nothing"} == LOSES


def test_what_must_happen_and_how_it_shows_is_what_the_faults_say() -> None:
    for name in FAULTS_HERE:
        assert set(MUST.get(name, NOT_PROMOTED)) == set(fault(name).MUST)
    assert set(_SHOWS) == set(FAULTS_HERE)
    assert TIMEOUT_MS == SLOWEST_MS and GROWN_BYTES == KEPT_BYTES
    assert set(FAULTS.builtin) == set(FAULTS_HERE)


@pytest.mark.parametrize("name", FAULTS_HERE)
def test_a_fault_that_did_not_arrive_is_an_error(name: str) -> None:
    for nothing in (0, None):
        verdict, reason = judge_rehearsal(edited(name, arrived=nothing), FAULTS_HERE)
        assert verdict is Verdict.ERROR and f"{name} did not arrive" in reason


@pytest.mark.parametrize("name", FAULTS_HERE)
def test_a_fault_that_is_promoted_fails(name: str) -> None:
    promoted = scenario(HEALTHY)
    found = edited(name, ruling=promoted.ruling, windows=promoted.windows, requests=promoted.requests)
    assert judge_rehearsal(found, FAULTS_HERE)[0] is Verdict.FAIL


Edit = Callable[[Rehearsal], Rehearsal]


def without(name: str) -> Edit:
    return lambda all_: msgspec.structs.replace(all_, scenarios=[each for each in all_.scenarios if each.name != name])


def with_(name: str, **changes: Any) -> Edit:
    return lambda _: edited(name, **changes)


def limits(**changes: Any) -> Edit:
    return lambda all_: msgspec.structs.replace(all_, limits=msgspec.structs.replace(all_.limits, **changes))


ROLLBACK = Ruling(decision=Decision.ROLLBACK, metric="error_rate", reason="x")
HOLD = Ruling(decision=Decision.HOLD, reason="x")
ANY = list(Decision)


def renamed(all_: Rehearsal) -> Rehearsal:
    more = msgspec.structs.replace(all_.scenarios[0], name="more")
    return msgspec.structs.replace(all_, scenarios=[*all_.scenarios, more])


def unlike(name: str) -> Edit:
    """The windows of a fault are those of the healthy ramp's first half second, and its injector says that it arrived."""
    return with_(name, windows=scenario(HEALTHY).windows[:5], ruling=HOLD)


@pytest.mark.parametrize(
    ("edit", "verdict"),
    [
        (without("errors"), Verdict.ERROR),
        (without(HEALTHY), Verdict.ERROR),
        (with_(HEALTHY, windows=[]), Verdict.ERROR),
        (with_(HEALTHY, windows=scenario("errors").windows), Verdict.ERROR),
        (with_(HEALTHY, windows=scenario("errors").windows, ruling=ROLLBACK), Verdict.FAIL),
        (with_(HEALTHY, windows=scenario("no_traffic").windows, ruling=HOLD), Verdict.INCONCLUSIVE),
        (with_(HEALTHY, lost=1), Verdict.FAIL),
        (with_(HEALTHY, lost=1, loses=""), Verdict.FAIL),
        (with_(HEALTHY, requests=0), Verdict.ERROR),
        (with_("sigterm", lost=1), Verdict.FAIL),
        (with_("sigkill", lost=3, lost_later=1), Verdict.FAIL),
        (with_("sigkill", lost=3), Verdict.PASS),
        (with_("errors", lost=30), Verdict.PASS),
        (with_("errors", lost=0), Verdict.ERROR),
        (with_(HEALTHY, requests=1), Verdict.ERROR),
        (with_("errors", windows=[], ruling=HOLD), Verdict.ERROR),
        (with_("errors", windows=scenario("no_traffic").windows, ruling=HOLD), Verdict.ERROR),
        (with_("no_traffic", must=ANY), Verdict.ERROR),
        (with_("no_traffic", must=ANY, windows=scenario("errors").windows, ruling=ROLLBACK, lost=99), Verdict.ERROR),
        (renamed, Verdict.ERROR),
        *((unlike(name), Verdict.ERROR) for name in FAULTS_HERE),
        (limits(slow_ms=1e9), Verdict.ERROR),
        (limits(burst_s=0.0), Verdict.ERROR),
        (with_("sigkill", lost=3, lost_later=4), Verdict.ERROR),
        (with_("no_traffic", ruling=ROLLBACK), Verdict.ERROR),
        (limits(error_rate=0.5), Verdict.ERROR),
        (limits(alpha=0.2), Verdict.ERROR),
        (limits(memory_growth=None), Verdict.ERROR),
        (limits(disagreement=None), Verdict.ERROR),
        (limits(disagreement=0.5), Verdict.ERROR),
        (limits(slow_ms=None), Verdict.ERROR),
        (limits(least_requests=1), Verdict.ERROR),
        (lambda all_: msgspec.structs.replace(all_, steps=[]), Verdict.ERROR),
        (lambda all_: msgspec.structs.replace(all_, steps=[100]), Verdict.ERROR),
        (lambda all_: msgspec.structs.replace(all_, scenarios=[*all_.scenarios, all_.scenarios[0]]), Verdict.ERROR),
    ],
)
def test_what_an_edited_record_is_worth(edit: Edit, verdict: Verdict) -> None:
    found = edit(rehearsal())
    assert judge_rehearsal(found, FAULTS_HERE)[0] is verdict, judge_rehearsal(found, FAULTS_HERE)
    line = StageReport(stage=STAGING, verdict=Verdict.PASS, rehearsals=[rehearsal(), found])
    assert judge_rehearsals(line)[0] is verdict


@pytest.mark.parametrize("steps", [[1], [0], [90, 50], [25, 50], [1, 5, 25, 50, 90]])
def test_steps_are_those_of_the_strategy(steps: list[int]) -> None:
    line = StageReport(stage=STAGING, verdict=Verdict.PASS, rehearsals=[msgspec.structs.replace(rehearsal(), steps=steps)])
    assert judge_rehearsals(line)[0] is Verdict.ERROR
    odd = msgspec.structs.replace(rehearsal(), strategy="mine")
    assert "no strategy" in judge_rehearsals(msgspec.structs.replace(line, rehearsals=[odd]))[1]


def test_a_stage_without_a_rehearsal_is_no_pass() -> None:
    assert judge_rehearsals(StageReport(stage=STAGING, verdict=Verdict.PASS))[0] is Verdict.ERROR


def test_legs_together_and_what_is_chosen_must_be_what_was_rehearsed() -> None:
    here = StageReport(stage=STAGING, verdict=Verdict.PASS, rehearsals=[rehearsal("x/a/b")])
    there = StageReport(stage=STAGING, verdict=Verdict.PASS, rehearsals=[rehearsal("x/c/d")])
    idle = StageReport(stage=STAGING, verdict=Verdict.SKIP)
    broken = StageReport(stage=STAGING, verdict=Verdict.FAIL, reason="broken")
    both = together([idle, here, there])
    assert both is not None and both.verdict is Verdict.PASS and len(both.rehearsals) == 2
    assert together([here, broken]).verdict is Verdict.FAIL  # type: ignore[union-attr]
    assert together([idle, idle]).verdict is Verdict.SKIP and together([]) is None  # type: ignore[union-attr]
    target = measured("x/c", {"d": Made()}).targets[0]
    assert target.selected == "x/c/d"
    assert of_selected(both, [target]) is both
    lonely = of_selected(here, [target])
    assert lonely.verdict is Verdict.ERROR and "x/c/d would be deployed" in lonely.reason
    other = together([here, StageReport(stage=STAGING, verdict=Verdict.PASS, rehearsals=[rehearsal("x/c/d", "b" * 64)])])
    assert "is not the one that passed" in of_selected(other, [target]).reason  # type: ignore[arg-type]
