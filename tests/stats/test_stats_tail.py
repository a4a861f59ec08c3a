"""Verdicts on the share of slow requests: known numbers, properties, and the promise under bursts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.lazily import Lazily
from simulation.tail import in_bursts

from gatekeeper.stats.looks import ALPHA, attempt_alpha
from gatekeeper.stats.tail import judge_tail, least_requests, requests_needed, requests_per_observation, share_p_values

stats = Lazily("scipy.stats")

FLAGS = st.lists(st.booleans(), min_size=1, max_size=400).map(lambda flags: np.array(flags, dtype=bool))


@pytest.mark.parametrize(("count", "n"), [(0, 299), (1, 473), (2, 628)])
def test_the_fewest_requests_at_five_percent(count: int, n: int):
    assert least_requests(count, 0.05) == n


@given(st.integers(0, 30), st.sampled_from([0.2, 0.05, 0.04, 0.01]))
def test_the_fewest_requests_are_enough_and_one_less_is_not(count: int, alpha: float):
    n = least_requests(count, alpha)
    assert stats.binom.cdf(count, n, 0.01) <= alpha < stats.binom.cdf(count, n - 1, 0.01)


@given(st.integers(0, 60), st.integers(1, 5000))
def test_p_values_of_whole_counts_are_those_of_the_binomial(count: int, n: int):
    count = min(count, n)
    p_pass, p_fail = share_p_values(count, n)
    assert p_pass == pytest.approx(stats.binom.cdf(count, n, 0.01), abs=1e-9)
    assert p_fail == pytest.approx(stats.binom.sf(count - 1, n, 0.01), abs=1e-9)


@given(st.floats(0, 50), st.floats(51, 5000))
def test_fractions_are_rounded_against_the_verdict(count: float, n: float):
    p_pass, p_fail = share_p_values(count, n)
    assert p_pass >= share_p_values(math.floor(count), math.ceil(n))[0] - 1e-12
    assert p_fail >= share_p_values(math.ceil(count), math.floor(n))[1] - 1e-12


@given(FLAGS)
def test_tau_is_at_least_one_and_at_least_what_the_bursts_say(over: np.ndarray):
    tau = requests_per_observation(over)
    bursts = [len(list(group)) for is_over, group in itertools.groupby(over) if is_over]
    assert tau >= 1
    assert tau >= (2 * np.mean(bursts) - 1 if bursts else 1) - 1e-9


@given(FLAGS)
def test_a_verdict_never_comes_with_a_p_value_above_alpha(over: np.ndarray):
    found = judge_tail(over, alpha=0.04)
    assert 0 <= found.p_pass <= 1
    assert 0 <= found.p_fail <= 1
    assert found.decided != "pass"  # 400 requests are too few
    assert (found.decided == "fail") == (found.share >= 0.25)


@given(st.integers(0, 200), st.integers(1000, 4000), st.integers(0, 100))
def test_order_alone_can_take_a_pass_away_but_not_give_one(count: int, n: int, seed: int):
    spread = np.zeros(n, dtype=bool)
    spread[np.linspace(0, n - 1, count).astype(int)] = True
    clumped = np.sort(spread)
    shuffled = np.random.default_rng(seed).permutation(spread)
    alone = "pass" if share_p_values(int(spread.sum()), n)[0] <= ALPHA else None
    for over in (spread, shuffled, clumped):
        assert judge_tail(over).decided != "pass" or alone == "pass"
    assert spread.sum() < 3 or judge_tail(clumped).decided != "pass"


def test_a_large_clean_run_passes_and_a_slow_one_fails():
    rng = np.random.default_rng(0)
    assert judge_tail(np.zeros(1000, dtype=bool)).decided == "pass"
    assert judge_tail(rng.random(20_000) < 0.005).decided == "pass"
    assert judge_tail(rng.random(20_000) < 0.02).decided == "fail"


def test_too_few_requests_are_undecided_and_say_how_many_it_takes():
    found = judge_tail(np.zeros(999, dtype=bool))
    assert (found.decided, found.needed) == (None, 1000)
    found = judge_tail(np.zeros(18_999, dtype=bool), least_tau=19)
    assert (found.decided, found.needed) == (None, 19_000)


def test_a_service_that_is_down_fails_however_few_and_long_its_bursts():
    assert judge_tail(np.ones(500, dtype=bool)).decided == "fail"
    assert judge_tail(np.arange(400) < 50).decided is None


def test_a_service_that_is_down_fails_in_every_attempt():
    for attempt in range(1, 12):
        assert judge_tail(np.ones(500, dtype=bool), attempt_alpha(attempt)).decided == "fail"


@pytest.mark.parametrize("share", [0.0, 0.002, 0.008, 0.0095, 0.0105, 0.013, 0.03])
@pytest.mark.parametrize("tau", [1.0, 7.3])
def test_what_is_needed_is_enough(share: float, tau: float):
    n = requests_needed(share, tau, ALPHA)
    assert n is not None
    assert n >= 1000 * tau
    assert share_p_values(share * n / tau, n / tau)[int(share > 0.01)] <= 1.1 * ALPHA


def test_exactly_one_percent_is_never_decided():
    assert requests_needed(0.01, 1.0, ALPHA) is None


def test_nothing_measured_is_undecided():
    found = judge_tail(np.zeros(0, dtype=bool))
    assert math.isnan(found.share)
    assert (found.decided, found.p_pass, found.p_fail) == (None, 1.0, 1.0)


@pytest.mark.parametrize("over", [[0.0, math.nan], [0, 1], [[True, False]], [None]])
def test_what_are_no_indicators_is_refused(over: list):
    with pytest.raises(ValueError, match="booleans"):
        judge_tail(over)


@pytest.mark.parametrize("burst", [3.0, 10.0])
def test_tau_finds_the_length_of_bursts(burst: float):
    over = in_bursts(burst)(np.random.default_rng(1), 50, 50_000)
    found = np.mean([requests_per_observation(row) for row in over])
    assert 2 * burst - 1 <= found * 1.1 <= 1.5 * (2 * burst - 1)


# --- the promise, at the exact limit ------------------------------------------------------------------------------------

RUNS = 1000


def passes(n: int, burst: float, corrected: bool) -> float:
    rng, passed = np.random.default_rng(n), 0
    for _ in range(RUNS // 200):
        over = in_bursts(burst)(rng, 200, n)
        if corrected:
            passed += sum(judge_tail(row).decided == "pass" for row in over)
        else:
            passed += int((stats.binom.cdf(over.sum(axis=1), n, 0.01) <= 0.05).sum())
    return passed / RUNS


@pytest.mark.parametrize("n", [1000, 2000, 5000])
def test_uncorrected_bursts_of_ten_pass_far_too_often(n: int):
    assert 0.36 <= passes(n, 10, corrected=False) <= 0.55


@pytest.mark.parametrize(("burst", "n"), [(1, 1000), (1, 10_000), (3, 3000), (10, 10_000)])
def test_corrected_bursts_pass_at_most_five_percent_of_the_time(burst: float, n: int):
    assert passes(n, burst, corrected=True) <= 0.05


def test_bursts_longer_than_the_run_can_show_must_be_stated():
    assert passes(1000, 10, corrected=True) > 0.2
    over = in_bursts(10)(np.random.default_rng(0), 500, 1000)
    assert not any(judge_tail(row, least_tau=19).decided == "pass" for row in over)
