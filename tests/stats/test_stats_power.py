"""How many rounds are needed, held against simulation and against its own inverse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.lazily import Lazily

from gatekeeper.stats.looks import MAX_ROUNDS, look_alpha
from gatekeeper.stats.power import POWER, power, rounds_needed, rounds_to_decide, smallest_effect

stats = Lazily("scipy.stats")

SPREADS = st.floats(0.001, 1.0)
ALPHAS = st.sampled_from([0.05, 0.04, 0.01, 0.005])


@settings(max_examples=60, deadline=None)
@given(SPREADS, st.floats(0.1, 5), ALPHAS)
def test_the_rounds_needed_are_enough_and_one_less_is_not(spread: float, effect_in_spreads: float, alpha: float):
    effect = effect_in_spreads * spread
    rounds = rounds_needed(spread, effect, alpha)
    assert rounds is not None
    assert power(spread, effect, rounds, alpha) >= POWER
    assert rounds == 2 or power(spread, effect, rounds - 1, alpha) < POWER


@settings(max_examples=60, deadline=None)
@given(SPREADS, st.integers(2, 60), ALPHAS)
def test_the_smallest_effect_is_the_inverse(spread: float, rounds: int, alpha: float):
    effect = smallest_effect(spread, rounds, alpha)
    assert power(spread, effect, rounds, alpha) == pytest.approx(POWER, abs=1e-6)
    assert rounds_needed(spread, effect * 1.0001, alpha) == rounds


@settings(max_examples=60, deadline=None)
@given(SPREADS, st.integers(2, 60), ALPHAS, st.floats(0.1, 100))
def test_the_smallest_effect_grows_with_the_spread_and_falls_with_the_rounds(spread: float, rounds: int, alpha: float, by: float):
    effect = smallest_effect(spread, rounds, alpha)
    assert smallest_effect(by * spread, rounds, alpha) == pytest.approx(by * effect)
    assert smallest_effect(spread, rounds + 1, alpha) < effect


@settings(deadline=None)  # the first example imports scipy
@given(st.floats(0.01, 3), st.integers(2, 40), ALPHAS)
def test_power_is_that_of_scipy(effect: float, rounds: int, alpha: float):
    expected = stats.nct.sf(stats.t.isf(alpha, rounds - 1), rounds - 1, effect * math.sqrt(rounds))
    assert power(1.0, effect, rounds, alpha) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("spread", "rounds", "alpha"), [(0.07, 8, 0.01), (0.07, 24, 0.01), (0.3, 5, 0.04)])
def test_simulated_power_at_the_smallest_effect(spread: float, rounds: int, alpha: float):
    rng = np.random.default_rng(rounds)
    values = smallest_effect(spread, rounds, alpha) + spread * rng.standard_normal((20_000, rounds))
    lower = values.mean(axis=1) - stats.t.isf(alpha, rounds - 1) * stats.sem(values, axis=1)
    assert (lower >= 0).mean() == pytest.approx(POWER, abs=0.015)


@pytest.mark.parametrize("effect", [0.0, -0.1, math.nan, 1e-9])
def test_no_effect_is_never_shown(effect: float):
    assert rounds_needed(1.0, effect, 0.01) is None


@pytest.mark.parametrize("spread", [math.nan, -1.0, math.inf])
def test_an_unknown_spread_promises_nothing(spread: float):
    assert rounds_needed(spread, 0.1, 0.01) is None
    assert smallest_effect(spread, 8, 0.01) == math.inf


def test_one_round_shows_nothing():
    assert smallest_effect(0.1, 1, 0.01) == math.inf
    assert power(0.1, 10.0, 1, 0.01) == 0


def test_without_noise_two_rounds_do():
    assert rounds_needed(0.0, 0.01, 0.01) == 2
    assert smallest_effect(0.0, 2, 0.01) == 0


@settings(max_examples=60, deadline=None)
@given(SPREADS, st.floats(0.1, 5), st.integers(1, 4))
def test_the_rounds_to_decide_pay_for_their_own_looks(spread: float, effect_in_spreads: float, attempt: int):
    effect = effect_in_spreads * spread
    rounds = rounds_to_decide(spread, effect, attempt)

    def enough(count: int) -> bool:
        return power(spread, effect, count, look_alpha(count, count, attempt)) >= POWER

    assert rounds == next((count for count in range(2, MAX_ROUNDS + 1) if enough(count)), None)
