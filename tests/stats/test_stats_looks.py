from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.stats.looks import ALPHA, LOOKS, look_alpha, schedule


@given(st.integers(1, 300))
def test_schedule_grows_and_ends_at_the_last_round(max_rounds: int):
    looks = schedule(max_rounds)
    assert looks[-1] == max_rounds
    assert all(a < b for a, b in itertools.pairwise(looks))
    assert set(looks[:-1]) <= set(LOOKS)


@pytest.mark.parametrize(
    ("max_rounds", "looks"), [(2, (2,)), (8, (8,)), (9, (8, 9)), (24, (8, 12, 16, 24)), (40, (8, 12, 16, 24, 40))]
)
def test_schedule_by_hand(max_rounds: int, looks: tuple[int, ...]):
    assert schedule(max_rounds) == looks


@given(st.integers(1, 300), st.integers(1, 10))
def test_the_looks_of_one_attempt_spend_no_more_than_the_budget(max_rounds: int, attempt: int):
    looks = schedule(max_rounds)
    assert len(looks) * look_alpha(len(looks), attempt) == pytest.approx(ALPHA * 0.5 ** (attempt - 1))


@given(st.integers(1, 5), st.integers(1, 30))
def test_each_attempt_has_half_of_the_last(looks: int, attempt: int):
    assert look_alpha(looks, attempt + 1) == pytest.approx(look_alpha(looks, attempt) / 2)


def test_all_attempts_together_stay_within_twice_the_first():
    assert sum(4 * look_alpha(4, attempt) for attempt in range(1, 50)) <= 2 * ALPHA


@pytest.mark.parametrize("attempt", [0, -3])
def test_an_attempt_below_one_is_the_first(attempt: int):
    assert look_alpha(4, attempt) == look_alpha(4, 1)


def test_the_budget_leaves_room_below_five_percent():
    assert 0 < ALPHA < 0.05
