"""Bets that may be looked at at any time: fair where the claim is true, by adding up every outcome there is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from gatekeeper.stats.always_valid import Beyond, Block, Counted, PairsBeyond, Within, grown, log_sum, nearest

SIZES = [(1, 0), (1, 1), (1, 19), (9, 1), (6, 6)]
LIMITS = [0.01, 0.05, 0.3]


def chance(bad: int, n: int, rate: float) -> float:
    return math.comb(n, bad) * rate**bad * (1 - rate) ** (n - bad)


def mean_growth(green: int, blue: int, alternative: tuple[float, float], limit: float, at: tuple[float, float]) -> float:
    """What capital of 1 is worth on average after a block, when the rates are `at`."""
    claim = nearest(green, blue, *alternative, limit)
    total = 0.0
    for i, j in itertools.product(range(green + 1), range(blue + 1)):
        grew = math.exp(grown(Block(green, i, blue, j), alternative, claim))
        total += chance(i, green, at[0]) * chance(j, blue, at[1]) * grew
    return total


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(("green", "blue"), SIZES)
def test_a_bet_is_fair_wherever_the_claim_is_true(green: int, blue: int, limit: float) -> None:
    rates = [0.0, 0.003, 0.02, 0.1, 0.4]
    within = [(b + limit / 2, b) for b in (0.001, 0.05, 0.3)]
    beyond = [(min(0.99, b + 3 * limit), b) for b in (0.001, 0.05)]
    for b, more in itertools.product(rates, (0.0, 0.01, 0.2)):
        for alternative in within:  # bet against: green's rate is above blue's by the limit or more
            assert mean_growth(green, blue, alternative, limit, (min(1.0, b + limit + more), b)) <= 1 + 1e-6
        for alternative in beyond if blue else []:  # against: by the limit at most
            assert mean_growth(green, blue, alternative, limit, (max(0.0, b + limit - more), b)) <= 1 + 1e-6


def test_the_check_of_fairness_would_notice() -> None:
    """A bet against a point of the claim that is not the nearest one gains where the claim is true."""
    alternative, at = (0.005, 0.001), (0.06, 0.05)
    grew = sum(
        chance(i, 4, at[0]) * chance(j, 4, at[1]) * math.exp(grown(Block(4, i, 4, j), alternative, (0.5, 0.49)))
        for i, j in itertools.product(range(5), range(5))
    )
    assert grew > 1.5


@pytest.mark.parametrize("limit", [0.02, 0.05])
def test_bets_on_pairs_are_fair(limit: float) -> None:
    for better in (0.0, 0.1, 0.4):
        worse = better + limit
        outcomes = [(worse, (1, 1, 0)), (better, (1, 0, 1)), (1 - worse - better, (1, 0, 0))]
        kind = PairsBeyond(limit)
        kind.bet(50, 1, 2)
        before, total = math.exp(kind.capital), 0.0
        for probability, outcome in outcomes:
            copy = PairsBeyond(**vars(kind))
            copy.bet(*outcome)
            total += probability * math.exp(copy.capital)
        assert total <= before * (1 + 1e-9)


@pytest.mark.parametrize("limit", LIMITS)
def test_a_bet_on_stretches_is_fair_however_they_are_spread(limit: float) -> None:
    """The mean is at the limit; what happens before is anything. All fails at once, or a little always, or blue fails as well."""
    spreads = [[(limit, 1.0), (1 - limit, 0.0)], [(1.0, limit)], [((1 + limit) / 2, 1.0), ((1 - limit) / 2, -1.0)]]
    for before in ([], [0.0] * 50, [0.0] * 50 + [1.0], [0.5 * limit, -0.2] * 9):
        bet = Within(limit, math.inf)
        for difference in before:
            bet.bet(difference)
        for spread in spreads:
            total = 0.0
            for probability, difference in spread:
                copy = Within(**vars(bet))
                copy.bet(difference)
                total += probability * math.exp(copy.capital)
            assert total == pytest.approx(math.exp(bet.capital), rel=1e-9)


def test_the_bound_on_rates_is_an_absolute_one_where_there_is_no_blue() -> None:
    assert nearest(10, 0, 0.002, 0.001, 0.01) == pytest.approx((0.01, 0.0), abs=1e-6)


def test_clean_stretches_are_about_as_many_as_a_fixed_test_needs() -> None:
    """299 at 1 %, if nobody looks before; to be allowed to look at each costs a little more."""
    bet, count = Within(0.01, 9.0), 0
    while bet.capital < math.log(20):
        bet.bet(0.0)
        count += 1
    assert 299 <= count <= 330


def test_what_was_shown_is_lost_when_it_goes_wrong() -> None:
    bet = Within(0.01, 4.0)
    for difference in [0.0] * 1000 + [1.0]:
        bet.bet(difference)
    assert bet.best == 4.0 and bet.capital < math.log(20)


@pytest.mark.parametrize("limit", [0.01, 0.02, 0.1])
def test_stretches_that_fail_wholly_are_seldom_enough_shown_as_fine(limit: float) -> None:
    """A green at the limit whose failures fill whole stretches, which are seldom: nothing looks more like a fine one."""
    rng, shown = np.random.default_rng(7), 0
    for fails in rng.random((400, round(8 / limit))) < limit:
        bet = Within(limit, 9.0)
        for each in fails.astype(float):
            bet.bet(each)
            if bet.capital >= -math.log(0.04):
                shown += 1
                break
    assert 4 <= shown <= 32, f"{shown} of 400: more than 32 are had in 0.5 % of tests at a rate of 5 %"


def test_to_forget_keeps_what_was_lost() -> None:
    bet = Within(0.01, 4.0)
    bet.bet(0.0)
    bet.forget()
    assert bet.capital == 0.0
    bet.bet(1.0)
    lost = bet.capital
    bet.forget()
    assert bet.capital == lost < 0


@pytest.mark.parametrize("clean", [0, 100, 2000])
def test_one_that_goes_wrong_late_is_found_as_well(clean: int) -> None:
    bet, seen, count = Beyond(0.01), Counted(), 0
    for _ in range(clean):
        bet.bet(Block(1, 0, 1, 0), seen)
        seen.add(Block(1, 0, 1, 0))
    while bet.capital < math.log(240):
        bet.bet(Block(1, 1, 1, 0), seen)
        seen.add(Block(1, 1, 1, 0))
        count += 1
    assert count <= 25


def test_capital_begins_as_one_and_a_block_of_nothing_leaves_it() -> None:
    bet = Beyond(0.01)
    assert bet.capital == pytest.approx(0)
    bet.bet(Block(0, 0, 5, 1), Counted())
    assert bet.capital == pytest.approx(0)
    assert log_sum([-math.inf, -math.inf]) == -math.inf
