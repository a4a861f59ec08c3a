from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.stats.looks import ALPHA, LOOKS, PROMISE, attempt_alpha, look_alpha, schedule


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
def test_the_looks_of_one_attempt_spend_no_more_than_its_budget(max_rounds: int, attempt: int):
    looks = schedule(max_rounds)
    assert len(looks) * look_alpha(len(looks), attempt) == pytest.approx(attempt_alpha(attempt))


@given(st.integers(2, 30))
def test_each_later_attempt_has_half_of_the_last(attempt: int):
    assert attempt_alpha(attempt + 1) == pytest.approx(attempt_alpha(attempt) / 2)
    assert attempt_alpha(attempt) < attempt_alpha(1)


def test_all_attempts_together_keep_the_promise():
    assert attempt_alpha(1) == ALPHA
    assert sum(attempt_alpha(n) for n in range(1, 200)) == pytest.approx(PROMISE)


@pytest.mark.parametrize("attempt", [0, -3])
def test_an_attempt_below_one_is_the_first(attempt: int):
    assert look_alpha(4, attempt) == look_alpha(4, 1)
