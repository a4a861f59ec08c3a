"""When the gates are asked, and what each look may spend."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation.rules import bounds

from gatekeeper.stats.looks import (
    ALPHA,
    EARLIER_LOOKS,
    LOOKS,
    MAX_ROUNDS,
    PROMISE,
    SPENT,
    attempt_alpha,
    equal_alpha,
    look_alpha,
    schedule,
)
from gatekeeper.stats.spending import crossing, levels


@given(st.integers(1, 300))
def test_schedule_grows_and_ends_at_the_last_round(max_rounds: int):
    looks = schedule(max_rounds)
    assert looks[-1] == max_rounds
    assert all(a < b for a, b in itertools.pairwise(looks))
    assert set(looks[:-1]) <= set(LOOKS)


@pytest.mark.parametrize(
    ("max_rounds", "looks"),
    [(2, (2,)), (8, (8,)), (9, (8, 9)), (24, (8, 12, 16, 20, 24)), (40, (8, 12, 16, 20, 24, 40))],
)
def test_schedule_by_hand(max_rounds: int, looks: tuple[int, ...]):
    assert schedule(max_rounds) == looks


@settings(max_examples=40, deadline=None)
@given(st.integers(2, MAX_ROUNDS), st.integers(1, 6), st.sampled_from([1.0, 0.475, 0.1]))
def test_the_looks_of_one_attempt_spend_no_more_than_its_budget(max_rounds: int, attempt: int, share: float):
    looks = schedule(max_rounds)
    nominal = [look_alpha(look, max_rounds, attempt, share) for look in looks]
    # No look has less than in earlier versions. Levels of a thousandth and less hardly overlap, so that is some percent more.
    room = 1.0 if attempt <= 2 and share == 1 else 1.1
    assert crossing(looks, nominal) <= share * attempt_alpha(attempt) * room + 1e-9


def test_one_look_has_all_of_it():
    assert [look_alpha(5, 5, attempt) for attempt in (1, 2, 3)] == [attempt_alpha(1), attempt_alpha(2), attempt_alpha(3)]


@pytest.mark.parametrize("attempt", [1, 2, 7])
@pytest.mark.parametrize("max_rounds", [8, 9, 13, 16, 21, 24, 25, 60, MAX_ROUNDS])
def test_a_report_that_claims_to_be_of_an_earlier_version_gains_no_level(max_rounds: int, attempt: int):
    """However many rounds it leaves out, too."""
    earlier = (*(look for look in EARLIER_LOOKS if look < max_rounds), max_rounds)
    assert equal_alpha(max_rounds, attempt) == attempt_alpha(attempt) / len(earlier)
    assert min(look_alpha(rounds, max_rounds, attempt) for rounds in range(2, max_rounds + 1)) >= equal_alpha(max_rounds, attempt)


def test_rounds_that_are_left_out_give_no_more_than_the_budget_when_the_best_number_of_them_is_chosen():
    """Someone who cuts a race of 24 rounds at the look that suits best has looked at all of them."""
    logs = 0.1 * np.random.default_rng(5).standard_normal((20_000, LOOKS[-1]))
    passed = [bounds(logs[:, :look], look_alpha(look, LOOKS[-1]))[0] >= 0 for look in LOOKS]
    assert np.any(passed, axis=0).mean() < ALPHA


def test_more_rounds_than_there_may_be_are_those_there_may_be():
    assert look_alpha(30, 24) == look_alpha(24, 24)


def test_a_race_that_its_time_ended_before_the_first_look_has_what_that_has():
    assert look_alpha(3, 24) == look_alpha(8, 24)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.475, 0.2, 0.095, 0.01])
def test_between_halvings_a_level_is_what_it_would_be_worked_out(share: float):
    spent = tuple(SPENT * share * ALPHA * look / LOOKS[-1] for look in LOOKS)
    exact = [max(level, share * equal_alpha(LOOKS[-1])) for level in levels(LOOKS, spent)]
    assert [look_alpha(look, LOOKS[-1], share=share) for look in LOOKS] == pytest.approx(exact, rel=2e-3)


@given(st.integers(2, 30))
def test_each_later_attempt_has_half_of_the_last(attempt: int):
    assert attempt_alpha(attempt + 1) == pytest.approx(attempt_alpha(attempt) / 2)
    assert attempt_alpha(attempt) < attempt_alpha(1)


def test_all_attempts_together_keep_the_promise():
    assert attempt_alpha(1) == ALPHA
    assert sum(attempt_alpha(n) for n in range(1, 200)) == pytest.approx(PROMISE)


@pytest.mark.parametrize("attempt", [0, -3])
def test_an_attempt_below_one_is_the_first(attempt: int):
    assert look_alpha(8, 24, attempt) == look_alpha(8, 24, 1)


@pytest.mark.parametrize("attempt", [50, 900, 10**6])
def test_however_many_attempts_there_were_a_level_is_a_number(attempt: int):
    assert 0 <= look_alpha(24, 24, attempt) <= attempt_alpha(attempt)
