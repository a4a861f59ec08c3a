"""A sample of bounded size, and what of an input is compared."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import kstest

from gatekeeper.monitor.features import COMPONENTS, PROJECTIONS, SUMS, Way, features, way_of
from gatekeeper.monitor.sample import SIZE, Sample, empty, scrambled


def part(stream: str, start: int, values: np.ndarray) -> Sample:
    priorities = scrambled(stream, start, len(values))
    order = np.argsort(priorities)[:SIZE]
    return Sample({"x": values[order]}, priorities[order], len(values))


@pytest.mark.parametrize("cuts", [[], [1], [5000, 5001, 20_000], [29_999]])
def test_a_stream_in_parts_has_the_sample_of_the_whole(cuts: list[int]) -> None:
    values = np.arange(30_000, dtype=float)
    whole, together = part("log", 0, values), empty()
    ends = [0, *cuts, len(values)]
    for start, end in sorted(pairwise(ends), key=lambda each: -each[0]):  # in any order
        together = together.merged(part("log", start, values[start:end]))
    assert np.array_equal(together.columns["x"], whole.columns["x"])
    assert (len(together.priorities), together.seen) == (SIZE, 30_000)


def test_every_row_is_as_likely_and_streams_are_told_apart() -> None:
    values = np.arange(100_000, dtype=float)
    first, second = part("a.jsonl", 0, values), part("b.jsonl", 0, values)
    assert kstest(first.columns["x"], "uniform", args=(0, 100_000)).pvalue > 0.001
    both = set(first.columns["x"]) & set(second.columns["x"])
    assert len(both) < 3 * SIZE**2 / 100_000, "no more rows in common than by chance"


def test_a_column_that_one_part_lacks_is_missing_there() -> None:
    one, other = part("a", 0, np.ones(3)), part("b", 0, np.ones(2))
    found = one.merged(Sample({"y": other.columns["x"]}, other.priorities, 2))
    assert sorted(np.isnan(found.columns["y"])) == [False, False, True, True, True]


def test_few_numbers_are_features_and_many_are_summed_up() -> None:
    assert way_of([1.0, 2]) == Way(1)
    assert way_of([[1, 2, 3]] * 2) == Way(3)
    assert way_of([[1], [1, 2]]) == way_of(["text"]) == way_of([[[1], [1, 2]]]) == Way(0)
    assert Way(1).names("x") == ["x"]
    assert Way(2).names("x") == ["x[0]", "x[1]"]
    assert len(Way(COMPONENTS + 1).names("x")) == len(SUMS) + PROJECTIONS
    assert Way(0).names("t") == ["t.mean", "t.sd", "t.least", "t.greatest", "t.length"]


def test_the_numbers_are_those_of_the_example() -> None:
    found = features({"x": Way(2), "t": Way(0)}, [{"x": [1, 2], "t": "ab"}, {"x": [3, None], "t": "c"}, {"x": [1, 2, 3]}])
    assert np.array_equal(found["x[0]"], [1, 3, np.nan], equal_nan=True)
    assert np.array_equal(found["x[1]"], [2, np.nan, np.nan], equal_nan=True), "of another size it is missing"
    assert np.array_equal(found["t.length"], [2, 1, np.nan], equal_nan=True)


def test_sums_with_signs_see_what_mean_and_spread_do_not() -> None:
    """Two halves of an image change places."""
    rng = np.random.default_rng(0)
    image = np.concatenate([np.zeros(100), np.ones(100)])
    rows = [image + 0.1 * rng.standard_normal(200) for _ in range(50)]
    found = features({"x": Way(200)}, [{"x": each} for each in [*rows, *(each[::-1] for each in rows)]])
    apart = {name: abs(values[:50].mean() - values[50:].mean()) / values[:50].std() for name, values in found.items()}
    assert apart["x.mean"] < 1 and apart["x.sd"] < 1
    assert max(apart[f"x.{i}"] for i in range(PROJECTIONS)) > 5
