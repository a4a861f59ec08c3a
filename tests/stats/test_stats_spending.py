"""Boundaries of several looks, held against published ones and against simulated walks."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from gatekeeper.stats.spending import Spending, crossing, levels, obrien_fleming, pocock, proportional

NORMAL = NormalDist()


def z(looks: tuple[int, ...], spending: Spending, alpha: float) -> list[float]:
    return [-NORMAL.inv_cdf(level) for level in levels(looks, tuple(spending(look / looks[-1], alpha) for look in looks))]


@pytest.mark.parametrize(
    ("spending", "alpha", "published"),
    [  # gsDesign's sfLDOF and sfLDPocock, five equal looks; SeqBounds.jl, four, in its README
        (obrien_fleming, 0.025, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        (pocock, 0.025, [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
        (obrien_fleming, 0.05, [3.74955, 2.53993, 2.01604, 1.72014]),
    ],
)
def test_boundaries_are_the_published_ones(spending: Spending, alpha: float, published: list[float]) -> None:
    assert z(tuple(range(1, len(published) + 1)), spending, alpha) == pytest.approx(published, abs=2e-4)


@pytest.mark.parametrize(("looks", "constant"), [(2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413), (10, 2.555)])
def test_pocock_s_own_boundary_is_crossed_as_often_as_it_says(looks: int, constant: float) -> None:
    """C. Jennison and B. Turnbull, "Group Sequential Methods", 2000, table 2.1: two-sided 5 %."""
    assert crossing(range(1, looks + 1), [NORMAL.cdf(-constant)] * looks) == pytest.approx(0.025, abs=5e-5)


@pytest.mark.parametrize(("looks", "constant"), [(2, 1.977), (3, 2.004), (4, 2.024), (5, 2.040), (10, 2.087)])
def test_o_brien_and_fleming_s_own_boundary_is_crossed_as_often_as_it_says(looks: int, constant: float) -> None:
    """The same, table 2.3."""
    nominal = [NORMAL.cdf(-constant * math.sqrt(looks / k)) for k in range(1, looks + 1)]
    assert crossing(range(1, looks + 1), nominal) == pytest.approx(0.025, abs=5e-5)


@pytest.mark.parametrize("spending", [obrien_fleming, pocock, proportional])
def test_all_is_spent_at_the_end_and_nothing_before_the_start(spending: Spending) -> None:
    assert spending(0.0, 0.04) == 0
    assert spending(1.0, 0.04) == pytest.approx(0.04)
    parts = [spending(part / 10, 0.04) for part in range(11)]
    assert parts == sorted(parts)


@pytest.mark.parametrize("spending", [obrien_fleming, pocock, proportional])
def test_simulated_walks_cross_as_often_as_is_spent(spending: Spending) -> None:
    looks = (8, 12, 16, 20, 24)
    spent = [spending(look / looks[-1], 0.04) for look in looks]
    walks = np.random.default_rng(3).standard_normal((200_000, looks[-1])).cumsum(axis=1)[:, np.array(looks) - 1]
    crossed = walks / np.sqrt(looks) >= [-NORMAL.inv_cdf(level) for level in levels(looks, tuple(spent))]
    by_then = np.logical_or.accumulate(crossed, axis=1).mean(axis=0)
    assert by_then == pytest.approx(np.array(spent), abs=0.002)
