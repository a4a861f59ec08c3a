"""Quantiles of Student's t, held against scipy's; bounds on many ratios at once, against those one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from gatekeeper.stats.looks import look_alpha
from gatekeeper.stats.many import ratio_bounds
from gatekeeper.stats.rounds import ratio_interval
from gatekeeper.stats.student import upper_quantile


@given(st.integers(1, 400), st.floats(1e-6, 0.499))
def test_quantiles_are_scipy_s(degrees: int, alpha: float) -> None:
    assert upper_quantile(degrees, alpha) == pytest.approx(float(stdtrit(degrees, 1 - alpha)), rel=1e-9)


@pytest.mark.parametrize("attempt", [1, 2, 5, 14, 30])
@pytest.mark.parametrize("most", [8, 24])
@pytest.mark.parametrize("degrees", [1, 7, 11, 23, 199, 5000])
def test_at_every_level_that_is_used(degrees: int, most: int, attempt: int) -> None:
    alpha = look_alpha(8, most, attempt)
    assert upper_quantile(degrees, alpha) == pytest.approx(float(stdtrit(degrees, 1 - alpha)), rel=1e-9)


@given(st.integers(0, 2**32), st.integers(2, 24), st.sampled_from([0.0, 20.0, 500.0]))
def test_many_at_once_are_as_one_by_one(seed: int, rounds: int, error: float) -> None:
    generator = np.random.default_rng(seed)
    top, bottom = generator.lognormal(8, 0.3, size=(2, 5, rounds))
    errors = np.full(5, error), np.full(5, error / 2)
    low, high = ratio_bounds(top, bottom, 0.01, errors if error else None)
    for index in range(5):
        one = ratio_interval(top[index].tolist(), bottom[index].tolist(), 0.01, (error, error / 2))
        assert (low[index] if np.isfinite(low[index]) else 0.0) == pytest.approx(one.lower, rel=1e-9)
        assert (high[index] if np.isfinite(high[index]) else np.inf) == pytest.approx(one.upper, rel=1e-9)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_of_what_is_no_time_nothing_is_known(bad: float) -> None:
    top = np.array([[bad, 2.0, 3.0], [1.0, 2.0, 3.0]])
    low, high = ratio_bounds(top, np.ones((2, 3)), 0.01)
    assert not np.isfinite([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()
