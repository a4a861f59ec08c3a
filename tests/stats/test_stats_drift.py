"""Drift of features: exact p-values, corrections, and how often it is cried where there is none."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from gatekeeper.stats.drift import FLOOR, distance_test, drift, holm, spending

VALUES = st.lists(st.sampled_from([-1.5, 0.0, 1.0, 2.0, 7.0, 1e9]), min_size=1, max_size=40)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def kolmogorov(a: ArrayLike, b: ArrayLike) -> float:
    """The largest difference of the two cumulative shares, straight from its definition."""
    return max(abs(float(np.mean(np.asarray(a) <= x) - np.mean(np.asarray(b) <= x))) for x in [*np.asarray(a), *np.asarray(b)])


@given(VALUES, VALUES)
def test_the_distance_is_kolmogorovs(a: list[float], b: list[float]):
    found, _ = distance_test(a, b, 1, np.random.default_rng(0))
    assert found == pytest.approx(kolmogorov(a, b))


@settings(max_examples=50, deadline=None)
@given(VALUES, VALUES, st.integers(0, 100))
def test_the_test_is_symmetric_and_free_of_units(a: list[float], b: list[float], seed: int):
    found, p = distance_test(a, b, 99, np.random.default_rng(seed))
    assert distance_test(np.arctan(a), np.arctan(b), 99, np.random.default_rng(seed)) == (found, p)
    assert distance_test(b, a, 99, np.random.default_rng(seed))[0] == pytest.approx(found)
    assert 1 / 100 <= p <= 1


def test_the_p_value_is_that_of_every_permutation():
    a, b = [0.1, 0.4, 0.9, 2.2, 3.0], [1.5, 2.2, 2.6, 3.5]
    observed, p = distance_test(a, b, 60_000, np.random.default_rng(3))
    pool = np.array(a + b)
    splits = [list(rows) for rows in itertools.combinations(range(9), 5)]
    far = [kolmogorov(pool[s], np.delete(pool, s)) >= observed - 1e-9 for s in splits]
    estimates = [distance_test(a, b, 60_000, np.random.default_rng(seed))[1] for seed in range(200)]
    assert np.mean(estimates) == pytest.approx(np.mean(far), rel=0.15)
    assert 0 < p < 1


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

    wrong = sum(
        any(f.drifted for f in drift({n: sample() for n in "abc"}, {n: sample() for n in "abc"}, 1, seed=run))
        for run in range(runs)
    )
    assert wrong / runs <= 0.05


@pytest.mark.thorough
def test_a_month_of_daily_looks_has_few_false_alarms():
    """A daily test at 5 % would have one in 66 % of months or more."""
    rng, months, wrong = np.random.default_rng(9), 40, 0
    before = {"x": rng.standard_normal(300)}
    for month in range(months):
        before = {"x": rng.standard_normal(300)}
        wrong += any(drift(before, {"x": rng.standard_normal(150)}, look=day, seed=month)[0].drifted for day in range(1, 31))
    assert wrong / months <= 0.1
