"""Bounds on the drift of a long run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.lazily import Lazily

from gatekeeper.records.base import Interval
from gatekeeper.stats.soak import LIMIT, block_length, drift_interval, judge_drift, theil_sen

signal = Lazily("scipy.signal")
stats = Lazily("scipy.stats")

SEEDS = st.integers(0, 1000)


def series(seed: int, n: int = 60, drift: float = 0.0, rho: float = 0.0, spread: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    rng, t = np.random.default_rng(seed), np.linspace(0, 1, n)
    noise = signal.lfilter([math.sqrt(1 - rho**2)], [1, -rho], rng.standard_normal(n + 200))[200:]
    return t, 1 + drift * (t - 0.5) + spread * noise


@settings(deadline=None)
@given(SEEDS)
def test_the_slope_is_scipys(seed: int):
    t, y = series(seed, drift=0.3, spread=0.2)
    assert theil_sen(t, y[None])[0] == pytest.approx(stats.theilslopes(y, t).slope)


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.floats(-0.2, 0.2), st.floats(1e-3, 1e9), st.floats(1e-3, 1e9))
def test_bounds_contain_the_drift_and_have_no_units(seed: int, drift: float, time_unit: float, value_unit: float):
    t, y = series(seed, drift=drift)
    found = drift_interval(t, y)
    assert found.lower <= found.observed <= found.upper
    other = drift_interval(t * time_unit + 7 * time_unit, y * value_unit)
    assert [other.lower, other.upper] == pytest.approx([found.lower, found.upper], rel=1e-4, abs=1e-7)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_bounds_widen_as_alpha_falls(seed: int):
    t, y = series(seed)
    wide, narrow = drift_interval(t, y, 0.01), drift_interval(t, y, 0.1)
    assert wide.lower <= narrow.lower
    assert wide.upper >= narrow.upper


def test_points_may_come_in_any_order():
    t, y = series(1, drift=0.1)
    order = np.random.default_rng(0).permutation(t.size)
    assert drift_interval(t[order], y[order]) == drift_interval(t, y)


def test_outliers_do_not_move_it():
    t, y = series(2, drift=0.02, spread=0.001)
    y[::10] *= 5
    assert drift_interval(t, y).observed == pytest.approx(0.02, abs=0.01)


def test_a_long_series_is_reduced_and_says_more():
    few, many = drift_interval(*series(3, 200)), drift_interval(*series(3, 20_000))
    assert many.upper - many.lower < few.upper - few.lower
    assert judge_drift(many) == "pass"


@pytest.mark.parametrize(
    ("lower", "upper", "verdict"),
    [
        (-0.01, 0.02, "pass"),
        (-0.05, 0.05, "pass"),
        (0.06, 0.1, "fail"),
        (-0.2, -0.06, "fail"),
        (0.0, 0.06, None),
        (-math.inf, math.inf, None),
        (math.nan, math.nan, None),
    ],
)
def test_verdicts(lower: float, upper: float, verdict: str | None):
    assert judge_drift(Interval(observed=(lower + upper) / 2, lower=lower, upper=upper)) == verdict


def test_a_level_run_passes_and_a_leak_fails():
    assert judge_drift(drift_interval(*series(4))) == "pass"
    assert judge_drift(drift_interval(*series(4, drift=0.2))) == "fail"
    assert judge_drift(drift_interval(*series(4, drift=-0.2))) == "fail"


def test_a_run_without_any_noise_is_exact():
    t = np.linspace(0, 10, 50)
    found = drift_interval(t, np.full(50, 3.0))
    assert (found.lower, found.observed, found.upper) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("t", "y"),
    [
        (np.arange(29), np.ones(29)),
        (np.zeros(40), np.ones(40)),
        (np.arange(40), np.zeros(40)),
        (np.arange(40), np.full(40, math.nan)),
        (np.r_[np.arange(39), math.inf], np.ones(40)),
        ([], []),
    ],
    ids=["too few", "no time passes", "no level", "NaN", "infinite time", "empty"],
)
def test_nothing_to_go_by_leaves_everything_open(t: np.ndarray, y: np.ndarray):
    found = drift_interval(t, y)
    assert (found.lower, found.upper) == (-math.inf, math.inf)
    assert judge_drift(found) is None


def test_unpaired_series_are_refused():
    with pytest.raises(ValueError, match="paired"):
        drift_interval(np.arange(40), np.arange(41))


def test_blocks_are_as_long_as_the_memory():
    lengths = [np.mean([block_length(series(seed, 240, rho=rho)[1]) for seed in range(20)]) for rho in (0, 0.5, 0.9)]
    assert lengths[0] < 9
    assert lengths[0] < lengths[1] < lengths[2] <= 48


@pytest.mark.parametrize(("rho", "spread"), [(0.0, 0.01), (0.6, 0.01)])
def test_a_drift_exactly_at_the_limit_passes_at_most_five_percent_of_the_time(rho: float, spread: float):
    """Few runs of short series, for time: shown is only that the rate is not clearly above."""
    runs = 80
    passed = sum(judge_drift(drift_interval(*series(s, 60, LIMIT, rho, spread), seed=s)) == "pass" for s in range(runs))
    assert stats.binomtest(passed, runs, 0.05, alternative="greater").pvalue > 0.01
