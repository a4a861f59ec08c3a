"""The judge of a rollout: what it promotes, what it holds, and what it rolls back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from simulation.rollout import LIMITS, at_the_limit, ramp, rollout_rows

from gatekeeper.records.rollout import Asked, Decision, RolloutLimits, Seen, Window
from gatekeeper.stats.rollout import Judge, clean_stretches, judged

PLAIN = RolloutLimits(slow_ms=100.0, disagreement=None, burst_s=0.0)
AT_TEN = msgspec.structs.replace(LIMITS, error_rate=0.1, slow_rate=0.1, least_requests=10)


def window(step: int = 0, green: int = 20, bad: int = 0, blue: int = 20, blue_bad: int = 0, **more: Any) -> Window:
    """A stretch of time; what fails is slow as well."""
    seen = {"green": Seen(requests=green, errors=bad, slow=bad), "blue": Seen(requests=blue, errors=blue_bad, slow=blue_bad)}
    return Window(step=step, **({"seconds": 1.0} | seen | more))


def first(judge: Judge, windows: list[Window]) -> Any:
    """The ruling that is no `hold`, or the last."""
    ruling = None
    for each in windows:
        ruling = judge.see(each)
        if ruling.decision is not Decision.HOLD:
            break
    return ruling


def test_a_healthy_ramp_is_promoted_step_by_step() -> None:
    judge, passed = Judge(PLAIN, 3), 0
    while not judge.over:
        passed += judge.see(window(judge.step)).decision is Decision.PROMOTE
    assert passed == 3


def test_evidence_of_one_step_is_none_of_the_next() -> None:
    judge = Judge(PLAIN, 2)
    first(judge, [window(0)] * 400)
    assert judge.step == 1
    assert judge.see(window(1)).decision is Decision.HOLD
    assert judge.see(window(0, green=1000, blue=1000)).decision is Decision.HOLD, "requests of a step that is over"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (window(green=0), "green has no requests"),
        (window(blue=0), "blue has no requests"),
        (window(green=0, blue=0), "green has no requests"),
        (window(bad=20, blue_bad=20), "blue itself fails"),
        (window(problem="a counter went backwards"), "a counter went backwards"),
        (window(blue_up=False), "blue is down"),
        (window(blue_up=False, green_up=False), "both are down"),
        (window(green=float("nan")), "no whole numbers"),  # type: ignore[arg-type]
        (window(bad=21), "more than its requests"),
        (window(asked=Asked(pairs=1, differ=2)), "more answers"),
        (window(green=float("inf")), "no whole numbers"),  # type: ignore[arg-type]
    ],
)
def test_no_evidence_is_hold(wrong: Window, said: str) -> None:
    judge = Judge(PLAIN, 1)
    for _ in range(500):
        ruling = judge.see(wrong)
        assert ruling.decision is Decision.HOLD and said in ruling.reason, ruling


def test_numbers_that_mean_nothing_take_the_evidence_with_them() -> None:
    judge = Judge(PLAIN, 1)
    for _ in range(300):
        assert judge.see(window()).decision is Decision.HOLD
    judge.see(window(problem="a counter went backwards"))
    for _ in range(300):
        assert judge.see(window()).decision is Decision.HOLD
    assert first(judge, [window()] * 400).decision is Decision.PROMOTE


@pytest.mark.parametrize("limits", [RolloutLimits(disagreement=None, burst_s=0.0), RolloutLimits(slow_ms=100.0, burst_s=0.0)])
def test_a_metric_that_is_not_measured_is_not_shown(limits: RolloutLimits) -> None:
    assert first(Judge(limits, 1), [window()] * 300).decision is Decision.HOLD


def test_a_metric_that_goes_wrong_rolls_back() -> None:
    agreeing, wrong = Asked(pairs=20), Asked(pairs=20, differ=6)
    full = msgspec.structs.replace(PLAIN, disagreement=0.05, memory_growth=0.3)
    memory = {"green_bytes": 100, "blue_bytes": 100}
    healthy = window(asked=agreeing, **memory)
    assert first(Judge(full, 1), [healthy] * 400).decision is Decision.PROMOTE
    labelled = Asked(pairs=20, labelled=20, green_wrong=8, blue_wrong=1)
    late = window(**memory, asked=agreeing, green=20, blue=20)
    late = msgspec.structs.replace(late, green=Seen(requests=20, slow=5))
    for metric, faulty in {
        "error_rate": window(bad=3, asked=agreeing, **memory),
        "p99_latency": late,
        "agreement": window(asked=wrong, **memory),
        "accuracy": window(asked=labelled, **memory),
        "memory": window(asked=agreeing, green_bytes=140, blue_bytes=100),
    }.items():
        ruling = first(Judge(full, 1), [healthy, *[faulty] * 40])
        assert (ruling.decision, ruling.metric) == (Decision.ROLLBACK, metric), ruling


def test_memory_that_grows_as_blues_does_is_no_leak_and_memory_unread_is_no_pass() -> None:
    limits = msgspec.structs.replace(PLAIN, memory_growth=0.3)
    same = [window(green_bytes=100 + i, blue_bytes=100 + i) for i in range(400)]
    assert first(Judge(limits, 1), same).decision is Decision.PROMOTE
    assert first(Judge(limits, 1), [window()] * 99).decision is Decision.HOLD


def test_a_green_that_is_down_rolls_back_at_once() -> None:
    assert Judge(PLAIN, 5).see(window(green_up=False)).decision is Decision.ROLLBACK


def test_green_may_fail_as_blue_does_at_the_same_time() -> None:
    """Both err under load: an absolute limit of 1 % would have rolled back."""
    assert first(Judge(PLAIN, 1), [window(green=200, bad=4, blue=200, blue_bad=4)] * 400).decision is Decision.PROMOTE


def test_a_few_errors_at_the_very_beginning_roll_nothing_back() -> None:
    judge = Judge(PLAIN, 1)
    assert judge.see(window(green=9, bad=9, blue=9)).decision is Decision.HOLD
    assert judge.see(window(green=1, bad=1, blue=1)).decision is Decision.ROLLBACK


def test_the_same_windows_give_the_same_ruling() -> None:
    windows = [window(0)] * 400
    assert judged(PLAIN, 1, windows).decision is Decision.PROMOTE
    assert judged(PLAIN, 2, windows).decision is Decision.HOLD
    assert judged(PLAIN, 1, []).decision is Decision.HOLD
    assert judged(PLAIN, 1, [*windows[:9], window(0, bad=20), *windows]).decision is Decision.ROLLBACK


def test_a_ramp_at_the_limit_is_not_promoted_and_a_fine_one_not_rolled_back() -> None:
    """A few ramps of each; a thousand in tests/benchmarks."""
    for row in rollout_rows(20, at_the_limit(), requests=16_000):
        assert row.promoted <= 0.05 and row.rolled_back <= 0.05, row
    fine = [ramp(seed, 0.0, 0.0, LIMITS, requests=60_000) for seed in range(10)]
    assert {each.decision for each in fine} == {Decision.PROMOTE}


@pytest.mark.parametrize("interruption", [{"problem": "lines were lost"}, {"blue_up": False}])
def test_an_interruption_is_no_second_try(interruption: dict[str, Any]) -> None:
    """A green at the limit that is interrupted 12 times. When each is another try, a third of them are promoted."""
    ramps = [
        ramp(seed, 0.1, 0.0, AT_TEN, weights=(0.5,), requests=2400, per_look=2, every=100, interruption=interruption)
        for seed in range(20)
    ]
    promoted = sum(each.decision is Decision.PROMOTE for each in ramps)
    assert promoted <= 3, f"{promoted} of 20: more than 3 are had in 1.6 % of tests at a rate of 5 %"


def test_what_spoke_against_green_outlives_an_interruption() -> None:
    bad = [window(bad=2, green=30, blue=30)] * 3
    judge = Judge(PLAIN, 1)
    assert first(judge, bad).decision is Decision.HOLD
    about = judge.compared["error_rate"].within
    lost = about.capital
    judge.see(window(problem="lines were lost"))
    assert about.capital == lost < 0 and judge.compared["error_rate"].within is about
    judge.see(window(blue_up=False))
    assert about.capital == lost and judge.compared["error_rate"].within is about
    assert first(judge, bad).decision is Decision.ROLLBACK
    fresh = Judge(PLAIN, 1)
    assert first(fresh, bad).decision is Decision.HOLD, "three such windows alone are too few"


@pytest.mark.parametrize(("green", "bursts"), [(0.02, 0.02), (0.015, 0.05)])
def test_failures_that_come_together_are_one(green: float, bursts: float) -> None:
    """One look in fifty fails wholly, one in twenty in 30 %; counted by requests, four in ten and one in five were promoted."""
    ramps = [ramp(seed, green, 0.0, LIMITS, weights=(0.25,), requests=18_000, bursts=bursts) for seed in range(25)]
    promoted = sum(each.decision is Decision.PROMOTE for each in ramps)
    assert promoted <= 4, f"{promoted} of 25: more than 4 are had in 0.7 % of tests at a rate of 5 %"


def test_a_burst_longer_than_a_look_is_one_stretch() -> None:
    """Looks of 0.2 s, bursts of 1 s: five looks are one observation, and a fine green takes five times as many."""
    taken = {}
    for burst_s in (0.0, 1.0):
        judge, looks = Judge(msgspec.structs.replace(PLAIN, burst_s=burst_s), 1), 0
        while not judge.over:
            looks += 1
            judge.see(window(seconds=round(0.2 * looks, 3)))
        taken[burst_s] = looks
    assert taken[1.0] == 5 * taken[0.0]
    assert taken[0.0] == clean_stretches(PLAIN.alpha, PLAIN.error_rate)


def test_a_clock_that_goes_backwards_shows_nothing() -> None:
    judge = Judge(PLAIN, 1)
    judge.see(window(seconds=5.0))
    for seconds in (1.0, float("nan"), float("inf")):
        assert "backwards" in judge.see(window(seconds=seconds)).reason


def test_errors_are_found_sooner_the_more_there_are() -> None:
    delays = [
        sorted(ramp(seed, rate, 0.0, LIMITS, requests=60_000).green for seed in range(21))[10] for rate in (0.02, 0.05, 0.10)
    ]
    assert delays == sorted(delays, reverse=True) and delays[-1] < 120
