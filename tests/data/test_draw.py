"""A few examples that stand for a whole set, whatever its order."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.data.draw import draw, evenly, loudest, sizes, spread

COUNTS, SEEDS = st.integers(1, 500), st.integers(0, 2**32)


@given(count=COUNTS, most=st.integers(1, 600), seed=SEEDS)
def test_every_stretch_of_the_set_is_there_once(count: int, most: int, seed: int) -> None:
    chosen, kept = draw(count, most, seed), min(count, most)
    assert chosen == draw(count, most, seed), "the seed says which"
    assert len(set(chosen)) == len(chosen) == kept
    assert {index * kept // count for index in chosen} <= set(range(kept))
    for at in range(0, count, max(1, -(-3 * count // kept))):  # every three strides hold one at least
        stretch = range(at, min(count, at + -(-3 * count // kept)))
        assert len(stretch) < 3 * count / kept or set(chosen) & set(stretch)


@given(data=st.data(), most=st.integers(1, 64), seed=SEEDS)
def test_every_size_is_there_by_its_share(data: st.DataObject, most: int, seed: int) -> None:
    large = data.draw(st.lists(st.sampled_from([1, 8, 64]), min_size=1, max_size=300))
    chosen = Counter(large[index] for index in draw(len(large), most, seed, large))
    kept = min(most, len(large))
    for size, share in Counter(large).items():
        assert abs(chosen[size] - kept * share / len(large)) < 2, "where a stretch holds two sizes, either may come of it"


def test_every_example_has_the_same_chance() -> None:
    seen = Counter(index for seed in range(6000) for index in draw(10, 3, seed))
    assert all(abs(seen[index] / 6000 - 0.3) < 0.03 for index in range(10))


@pytest.mark.parametrize("period", [2, 4, 5, 10, 16, 25, 50])
def test_what_comes_back_regularly_is_drawn_by_its_share(period: int) -> None:
    """Every fiftieth of 1,600 would be the same of two, four or fifty cameras each time."""
    seen = [sum(index % period == 0 for index in draw(1600, 32, seed)) for seed in range(400)]
    share = 32 / period
    assert abs(np.mean(seen) - share) < 0.3 and np.std(seen) < 1.2 * share**0.5


def test_the_loudest_example_is_found_in_any_input() -> None:
    quiet = np.random.default_rng(0).random((50, 4, 4)).astype(np.float32)
    other = 1000 + np.random.default_rng(1).random((50, 3))
    other[31, 2] = -9000
    ids = np.full((50, 2), 10**6)
    assert loudest({"x": quiet, "z": other, "ids": ids}) == 31
    assert loudest({"ids": ids}) is None and loudest({"x": np.zeros((3, 2))}) is None


@given(count=st.integers(16, 400), start=st.integers(0, 10_000))
def test_any_few_that_follow_each_other_are_spread(count: int, start: int) -> None:
    order = spread(count)
    assert sorted(order) == list(range(count))
    some = [order[(start + i) % count] for i in range(8)]
    assert min(some) < count / 2 <= max(some)


@pytest.mark.parametrize(("count", "most"), [(0, 3), (2, 3), (3, 3), (10, 3), (7, 1)])
def test_evenly_spaced_ones_come_in_order(count: int, most: int) -> None:
    found = evenly(count, most)
    assert found == sorted(set(found)) and len(found) == min(count, most) and found == evenly(count, most)
    assert all(after - before < 2 * -(-count // most) for before, after in pairwise(found))


@pytest.mark.parametrize("period", [2, 4, 8])
def test_what_comes_back_regularly_is_kept_by_its_share(period: int) -> None:
    """One camera in eight, of 400 examples out of 3,200."""
    kept = evenly(3200, 400)
    assert sum(index % period == 0 for index in kept) / 400 == pytest.approx(1 / period, abs=0.06)


@pytest.mark.parametrize("most", [0, -1])
def test_nothing_is_no_draw(most: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        draw(10, most, 0)


def padded(lengths: list[int], width: int, pad: int, left: bool = False) -> np.ndarray:
    rows = np.full((len(lengths), width), pad, np.int64)
    for row, length in zip(rows, lengths, strict=True):
        row[slice(width - length, None) if left else slice(length)] = np.arange(100, 100 + length)
    return rows


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("pad", [0, 1])
def test_padding_is_no_size(pad: int, left: bool) -> None:
    lengths = [2, 64, 8, 32, 64]
    mask = np.array([[1] * n + [0] * (64 - n) for n in lengths])
    found = sizes({"ids": padded(lengths, 64, pad, left), "mask": mask[:, ::-1] if left else mask})
    assert [sorted(found).index(size) for size in found] == [0, 3, 1, 2, 3]


def test_inputs_that_are_not_padded_are_all_alike() -> None:
    assert len(set(sizes({"x": np.random.default_rng(0).standard_normal((50, 3, 8, 8))}))) == 1
    assert len(set(sizes({"x": np.zeros((5, 4))}))) == 1, "nothing but padding is no short input"
    assert sizes({"x": np.zeros(5)}) == []
