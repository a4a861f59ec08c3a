"""Bounds on one model's mean, beside scipy's and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from gatekeeper.stats.mean import bounded_interval, share_interval, share_p_value


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 60), (60, 60), (540, 600), (599, 600), (1, 10_000)])
def test_bounds_on_a_share_are_scipys(right: int, n: int) -> None:
    found = share_interval(right, n, 0.05)
    exact = binomtest(right, n).proportion_ci(0.9, "exact")  # each side at 5 %
    assert (found.lower, found.upper) == pytest.approx((exact.low, exact.high), abs=1e-12)
    assert found.observed == right / n
    for limit in (0.5, 0.9, 0.99):
        assert share_p_value(right, n, limit) == pytest.approx(binomtest(right, n, limit, "greater").pvalue, abs=1e-12)


def test_a_bound_and_its_p_value_agree() -> None:
    lower = share_interval(540, 600, 0.05).lower
    assert share_p_value(540, 600, lower) == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize("draw", ["beta", "rare", "two"])
def test_bounds_on_a_mean_hold_at_the_limit(draw: str) -> None:
    """The true mean lies above the lower bound, and below the upper, in all but 5 % of 400 sets."""
    generator = np.random.default_rng(1)
    draws = {
        "beta": (lambda: generator.beta(8, 2, 150), 0.8),
        "rare": (lambda: (generator.random(150) > 0.02).astype(float), 0.98),
        "two": (lambda: generator.choice([0.5, 1.0], 150, p=[0.4, 0.6]), 0.8),
    }
    make, mean = draws[draw]
    found = [bounded_interval(make() * 3 - 1, -1, 2, 0.05) for _ in range(400)]
    true = mean * 3 - 1
    low, high = (sum(wrong) for wrong in ([each.lower > true for each in found], [each.upper < true for each in found]))
    assert max(low, high) <= 30  # 20 expected at most; P(more than 30) < 1 %
    assert np.mean([each.upper - each.lower for each in found]) < 0.6
