"""Counters over a window: what they rose by, whatever they did meanwhile."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.signals._shares import above, quantile, steps_of
from gatekeeper.monitor.window import LATENCY, REQUESTS, STEPS, Increase, Series, Window, window_of


def rose(*series: Series, start: float = 0.0, end: float = 480.0, family: str = REQUESTS) -> Window:
    return window_of({family: series}, start, end, {})


def total(window: Window, family: str = REQUESTS, label: str = "code") -> dict[str, float]:
    return {key: float(steps.sum()) for key, steps in window.by(family, label).items()}


def test_what_came_before_the_window_is_not_of_it() -> None:
    window = rose(Series({"code": "200"}, [-60, -1, 10, 470], [5, 100, 130, 150]))
    assert total(window) == {"200": 50}
    assert window.by(REQUESTS, "code")["200"][30] == 30, "of a third of a second a step"


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.sets(st.integers(1, 39)))
def test_a_counter_that_begins_again_loses_nothing_that_was_read(risen: list[int], restarts: set[int]) -> None:
    """The sum of what was added, however often it went back to 0 in between, but for what cannot be seen of it."""
    value, values, unseen = 0.0, [0.0], 0.0
    for index, each in enumerate(risen):
        if index in restarts:
            unseen += value if each >= value else 0.0  # it is as large again before anybody looks
            value = 0.0
        value += each
        values.append(value)
    times = [-1.0, *np.linspace(1, 470, len(risen))]
    window = rose(Series({"code": "200"}, times, values))
    assert total(window)["200"] == sum(risen) - unseen
    fell = sum(after < before for before, after in pairwise(values))
    assert bool(window.notes) == bool(fell)


def test_a_label_that_appears_has_counted_from_zero_and_a_server_that_appears_has_not() -> None:
    old = Series({"code": "200", "instance": "a"}, [-30, 100], [40, 50])
    born = Series({"code": "500", "instance": "a"}, [100], [7])
    new = Series({"code": "200", "instance": "b"}, [100, 200], [9000, 9001])
    assert total(rose(old, born, new)) == {"200": 11, "500": 7}


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_number_that_is_none_is_never_a_count(value: float) -> None:
    window = rose(Series({"code": "200"}, [-1, 100, 200], [1, value, 3]))
    with pytest.raises(Unread, match="no count") as caught:
        window.by(REQUESTS, "code")
    assert caught.value.kind == "nan"


def histogram(counts: dict[float, int]) -> Window:
    """Of how many lie in each bucket that ends there."""
    below, families = 0, []
    for end in sorted(counts):
        below += counts[end]
        steps = np.zeros(STEPS)
        steps[3] = below
        families.append(Increase({"le": "+Inf" if end == math.inf else f"{end:g}"}, steps))
    return Window(0, 480, {LATENCY: families})


def test_a_quantile_is_that_of_prometheus() -> None:
    """By hand: 90 of 100 below 10 ms, the 95th lies half way through the bucket that holds the last ten."""
    window = histogram({0.01: 90, 0.02: 10, math.inf: 0})
    assert quantile(window, LATENCY, 0.95) == (pytest.approx(0.015), 100)
    assert quantile(window, LATENCY, 0.45) == (pytest.approx(0.005), 100)
    assert quantile(histogram({0.01: 1, math.inf: 99}), LATENCY, 0.99) == (math.inf, 100)
    assert quantile(histogram({0.01: 0, math.inf: 0}), LATENCY, 0.99) == (None, 0)


def test_only_what_is_surely_slower_counts_as_slower() -> None:
    window = histogram({0.01: 90, 0.02: 7, 0.05: 2, math.inf: 1})
    found = {limit: float(above(window, LATENCY, limit)[0].sum()) for limit in (0.01, 0.015, 0.02, 0.03, 1.0)}
    assert found == {0.01: 10, 0.015: 3, 0.02: 3, 0.03: 1, 1.0: 0}


def test_what_was_never_counted_is_nothing() -> None:
    own, every = steps_of(Window(0, 1), REQUESTS, "code", "5")
    assert (own.sum(), every.sum()) == (0, 0)
