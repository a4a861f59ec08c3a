"""Drift of features: exact p-values, corrections, and how often it is cried where there is none."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from gatekeeper.stats.drift import FLOOR, counts_test, distance_test, drift, holm, spending

VALUES = st.lists(st.sampled_from([-1.5, 0.0, 1.0, 2.0, 7.0, 1e9]), min_size=1, max_size=40)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def kolmogorov(a: ArrayLike, b: ArrayLike) -> float:
    """The largest difference of the two cumulative shares, straight from its definition."""
    return max(abs(float(np.mean(np.asarray(a) <= x) - np.mean(np.asarray(b) <= x))) for x in [*np.asarray(a), *np.asarray(b)])


def every_permutation(a: list[float], b: list[float]) -> float:
    """The p-value straight from its definition: the share of all splits of the pool that lie as far apart."""
    pool, observed = np.array(a + b), kolmogorov(a, b)
    splits = itertools.combinations(range(len(pool)), len(a))
    return float(np.mean([kolmogorov(pool[list(rows)], np.delete(pool, rows)) >= observed - 1e-9 for rows in splits]))


@settings(deadline=None)  # scipy is imported in the first
@given(VALUES, VALUES)
def test_the_distance_is_kolmogorovs(a: list[float], b: list[float]):
    assert distance_test(a, b)[0] == pytest.approx(kolmogorov(a, b))


@settings(max_examples=50, deadline=None)
@given(VALUES, VALUES)
def test_the_test_is_symmetric_and_free_of_units(a: list[float], b: list[float]):
    found, p = distance_test(a, b)
    assert distance_test(np.arctan(a), np.arctan(b)) == (found, p)
    assert distance_test(b, a) == (pytest.approx(found), pytest.approx(p))
    assert 0 < p <= 1


SMALL = st.lists(st.integers(0, 12), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(SMALL, SMALL)
def test_the_p_value_is_never_below_that_of_every_permutation(a: list[float], b: list[float]):
    exact = every_permutation(a, b)
    assert distance_test(a, b)[1] >= exact - 1e-9
    if len({*a, *b}) == len(a) + len(b):
        assert distance_test(a, b)[1] == pytest.approx(exact), "without ties it is that one"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 1), min_size=1, max_size=6), st.lists(st.integers(0, 1), min_size=1, max_size=6))
def test_of_two_values_the_p_value_is_that_of_every_permutation(a: list[float], b: list[float]):
    assert distance_test(a, b)[1] == pytest.approx(every_permutation(a, b))


@pytest.mark.parametrize("sizes", [(200, 4096), (4096, 4096), (4095, 4096), (1000, 3001), (17, 23)])
def test_what_lies_further_apart_is_less_likely_down_to_nothing(sizes: tuple[int, int]):
    """A share of paths that scipy cannot count is taken for 1: that may be where all are as far apart, and nowhere else."""
    n, m = sizes
    found = [distance_test(np.arange(n) / n, np.arange(m) / m + shift)[1] for shift in (0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.9
    assert found[-1] < 1e-9


def test_it_goes_on_seeing_after_a_year_of_days():
    """Of 100,000 drawn permutations none shows less than 1e-5: with eight features they were blind from day 20 on."""
    rng = np.random.default_rng(11)
    before = {name: rng.standard_normal(2000) for name in "abcdefgh"}
    now = {name: rng.standard_normal(500) + 0.5 * (name == "c") for name in "abcdefgh"}
    assert [each.name for each in drift(before, now, look=365) if each.drifted] == ["c"]


def test_histograms_are_compared_as_what_they_count():
    rng = np.random.default_rng(12)
    a, b = rng.integers(0, 12, 700), rng.integers(1, 13, 900)
    counts = [np.bincount(each, minlength=13) for each in (a, b)]
    assert counts_test(*counts) == pytest.approx(distance_test(a, b))


def test_a_histogram_of_millions_keeps_its_distance_and_a_thinned_p():
    one, other = np.array([400_000, 600_000]), np.array([330_000, 670_000])
    distance, p = counts_test(one, other)
    assert distance == pytest.approx(0.07)
    assert 0 < p < 0.001, "of 4,096 on either side"


@pytest.mark.parametrize(("one", "other"), [([0, 0], [1, 2]), ([1], [1, 2]), ([1, -1], [1, 1])])
def test_histograms_that_say_nothing_are_refused(one: list, other: list):
    with pytest.raises(ValueError, match="same bins and hold something"):
        counts_test(one, other)


@given(P_VALUES, st.floats(0.001, 0.2))
def test_holm_lies_between_bonferroni_and_none(p_values: list[float], alpha: float):
    found = holm(p_values, alpha)
    for p, rejected in zip(p_values, found, strict=True):
        assert rejected or p > alpha / len(p_values)
        assert not rejected or p <= alpha
    assert found == [any(p <= q for q, r in zip(p_values, found, strict=True) if r) for p in p_values]


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005], 0.05) == [True, False, False, True]
    assert holm([0.01, math.nan], 0.05) == [True, False]
    assert holm([], 0.05) == []


def test_all_looks_together_spend_alpha():
    assert sum(spending(k, 0.04) for k in range(1, 100_000)) == pytest.approx(0.04, rel=1e-4)
    with pytest.raises(ValueError, match="from 1"):
        spending(0)


def test_a_shifted_feature_is_found_and_the_others_are_not():
    rng = np.random.default_rng(5)
    before = {name: rng.standard_normal(800) for name in "abcd"}
    now = {name: rng.standard_normal(500) + (0.6 if name == "c" else 0) for name in "abcd"}
    assert [f.name for f in drift(before, now, look=3) if f.drifted] == ["c"]


def test_a_shift_too_small_to_matter_is_no_drift_however_certain():
    rng = np.random.default_rng(6)
    before, now = {"x": rng.standard_normal(30_000)}, {"x": rng.standard_normal(30_000) + 0.1}
    (found,) = drift(before, now, look=1)
    assert found.p_value < 0.01
    assert found.distance < FLOOR
    assert not found.drifted


def test_values_that_go_missing_are_drift():
    rng = np.random.default_rng(7)
    now = rng.standard_normal(400)
    now[:120] = math.nan
    (found,) = drift({"x": rng.standard_normal(400)}, {"x": now}, look=1)
    assert found.drifted


def test_a_constant_feature_has_not_drifted():
    (found,) = drift({"x": np.ones(50)}, {"x": np.ones(70)}, look=1)
    assert (found.distance, found.p_value, found.drifted) == (0.0, 1.0, False)


@pytest.mark.parametrize(("before", "now"), [([], [1.0]), ([1.0], []), ([[1.0]], [1.0])])
def test_nothing_to_compare_is_refused(before: list, now: list):
    with pytest.raises(ValueError, match="shape"):
        drift({"x": before}, {"x": now}, look=1)


def test_different_features_are_refused():
    with pytest.raises(ValueError, match=r"features differ: \['y'\]"):
        drift({"x": [1.0]}, {"x": [1.0], "y": [1.0]}, look=1)


@pytest.mark.parametrize("ties", [False, True], ids=["continuous", "counts"])
def test_identical_sources_are_called_drift_in_at_most_five_percent_of_first_looks(ties: bool):
    """Samples of 100, where PSI > 0.1 fires on 86 %."""
    rng, runs = np.random.default_rng(8), 400

    def sample() -> np.ndarray:
        return rng.poisson(3, 100).astype(float) if ties else rng.standard_normal(100)

    wrong = sum(any(f.drifted for f in drift({n: sample() for n in "abc"}, {n: sample() for n in "abc"}, 1)) for _ in range(runs))
    assert wrong / runs <= 0.05


@pytest.mark.thorough
def test_a_month_of_daily_looks_has_few_false_alarms():
    """A daily test at 5 % would have one in 66 % of months or more."""
    rng, months, wrong = np.random.default_rng(9), 40, 0
    before = {"x": rng.standard_normal(300)}
    for _ in range(months):
        before = {"x": rng.standard_normal(300)}
        wrong += any(drift(before, {"x": rng.standard_normal(150)}, look=day)[0].drifted for day in range(1, 31))
    assert wrong / months <= 0.1
