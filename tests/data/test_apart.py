"""How far two models are apart, and what rounding explains of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gatekeeper.data import components
from gatekeeper.data.apart import Scale
from gatekeeper.data.rounding import EIGHT_BITS, FAR, HALF, SINGLE, explained, nudge_size, unexplained
from gatekeeper.models.info import Assessment

N = 200


def outputs(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal((N, *shape)).astype(np.float32)


def apart(reference: Any, other: Any) -> Any:
    return Scale(reference).apart(reference, other)


def test_the_unit_is_a_components_own_spread() -> None:
    reference = outputs(3) * np.float32([1, 0.1, 30]) + 5
    other = reference.copy()
    other[7, 1] += 0.5 * reference[:, 1].astype(float).std()
    found = apart(reference, other)
    assert found[7] == pytest.approx(0.5, rel=0.01)
    assert np.count_nonzero(found) == 1


def test_one_component_is_not_hidden_by_many() -> None:
    reference = outputs(1000)
    other = reference.copy()
    other[:, 3] *= -1
    assert np.median(apart(reference, other)) > 0.5


def test_a_map_is_compared_along_its_shorter_axis() -> None:
    reference = outputs(2, 64, 64)
    other = reference.copy()
    other[5, 0, :, 9] += 1
    found = apart(reference, other)
    assert found[5] == pytest.approx(0.5**0.5, rel=0.1) and np.count_nonzero(found) == 1


def test_a_component_that_never_changes_is_held_to_the_others() -> None:
    reference = outputs(3)
    reference[:, 2] = 4
    other = reference.copy()
    other[:, 2] += 1e-6
    assert apart(reference, other).max() < 1e-5
    other[:, 2] = 9
    assert apart(reference, other).min() > 1


def test_values_that_are_lost_are_infinitely_far_on_either_side() -> None:
    reference, other = outputs(3), outputs(3)
    other[:] = reference
    reference[1, 0], other[1, 0] = np.nan, np.nan
    reference[2, 0], other[3, 0] = np.inf, np.nan
    found = apart(reference, other)
    assert found[1] == 0 and np.isinf(found[[2, 3]]).all() and np.isinf(found).sum() == 2


def test_whole_numbers_are_the_same_or_not() -> None:
    reference = np.arange(N * 4).reshape(N, 4)
    other = reference.copy()
    other[3, 1] += 1
    assert list(np.flatnonzero(apart(reference, other))) == [3]
    assert apart(reference, other.astype(np.int32))[3] == 1
    assert list(np.flatnonzero(apart(reference[:, 0] > 5, np.ones(N, bool)))) == [0, 1]


def test_examples_are_read_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    reference, other = outputs(5), outputs(5, seed=1)
    whole = apart(reference, other)
    monkeypatch.setattr(components, "_CHUNK", 7)
    assert np.allclose(apart(reference, other), whole)


# --- what rounding explains -----------------------------------------------------------------------------------------


def test_what_nudges_move_is_explained_and_no_more() -> None:
    rows = np.array([[0.5, 0.5, 0.5 * FAR, np.inf]])
    moved = np.array([[0.4, 0.1, 0.0, 0.4]])
    assert list(unexplained(rows, moved)) == [False, True, False, True]


def test_an_example_is_explained_in_each_of_its_outputs() -> None:
    rows, moved = np.full((2, 1), 0.5), np.array([[0.5], [0.0]])
    assert list(unexplained(rows, moved)) == [True]


def test_sixteen_bits_explain_small_distances_and_flipped_classes() -> None:
    rows, moved = np.array([[0.05, 0.5], [1.0, 0.0]]), np.ones((2, 2))
    assert list(unexplained(rows, moved, np.array([True, False]))) == [False, True]


def test_nudges_may_miss_one_example_in_sixteen() -> None:
    """Each of four nudges finds an example on an edge on its other side by even odds."""
    generator = np.random.default_rng(0)
    for far in (1, 2, 5, 20, 100):
        missed = (generator.random((4000, far, 4)) < 0.5).all(axis=2).sum(axis=1)
        wrong = np.mean([not explained(far, int(count), 10_000) for count in missed])
        assert wrong < 0.015, far


@pytest.mark.parametrize(("far", "left"), [(2, 2), (3, 3), (20, 8), (200, 40)])
def test_examples_that_no_nudge_moves_are_a_fault(far: int, left: int) -> None:
    assert not explained(far, left, 10_000)


def test_one_example_alone_is_chance_unless_it_is_all_there_is() -> None:
    assert explained(1, 1, 100) and not explained(1, 1, 1) and explained(5, 0, 5)


def test_nudges_are_as_coarse_as_the_arithmetic() -> None:
    def about(quantized: bool = False, **weights: int) -> Assessment:
        return Assessment(
            path="", format="onnx", files=[], bytes=0, architecture="", parameters=0, weights=weights, operators={},
            weighted_operators={}, nested_operators={}, inputs=[], outputs=[], opset={}, quantized=quantized,
        )  # fmt: skip

    assert nudge_size(about(float32=9), "cpu") == nudge_size(about(float32=9), "cpu:throughput") == SINGLE
    assert nudge_size(about(float32=9), "cuda") == nudge_size(about(float16=9), "cpu") == HALF
    assert nudge_size(about(quantized=True), "cpu") == EIGHT_BITS
