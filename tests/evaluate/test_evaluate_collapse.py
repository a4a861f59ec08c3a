from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gatekeeper.evaluate.collapse import collapsed as worded
from gatekeeper.evaluate.collapse import neighbours_kept, not_finite
from gatekeeper.evaluate.tasks._base import judged_as
from gatekeeper.gates._collapse import fallen

RNG = np.random.default_rng(5)
SCORES = RNG.standard_normal((400, 6))
VALUES = RNG.standard_normal((400, 3))
TAGS = RNG.standard_normal((80, 12, 6))


def collapsed(baseline: Any, variant: Any, task: str | None) -> str:
    """What is said of the outputs; the numbers alone, as a report has them, decide alike."""
    judged = judged_as(task)
    numbers = judged.signs(baseline, variant)
    said = worded(numbers, len(variant), judged.flat(variant, baseline))
    assert fallen(numbers) is bool(said)
    return said


def only(count: int, outputs: Any = SCORES) -> Any:
    """Scores of which the first `count` classes alone are ever the largest."""
    return np.where(np.arange(outputs.shape[-1]) < count, outputs + 100, outputs)


@pytest.mark.parametrize("outputs", [SCORES, TAGS], ids=["one answer", "many"])
def test_one_class_whatever_comes(outputs: Any):
    assert (
        collapsed(outputs, only(1, outputs), None) == "it answers class 0 whatever it sees, where the original answers 6 classes"
    )


@pytest.mark.parametrize(("left", "lost"), [(2, 4), (3, 3)])
def test_half_of_the_classes_gone(left: int, lost: int):
    assert collapsed(SCORES, only(left), None) == f"it never answers {lost} of the 6 classes that the original answers"


@pytest.mark.parametrize(
    "variant", [SCORES, only(4), SCORES + 0.3 * RNG.standard_normal(SCORES.shape)], ids=["same", "4 of 6", "noisy"]
)
def test_most_classes_left_is_no_collapse(variant: Any):
    assert collapsed(SCORES, variant, None) == ""


def test_a_baseline_of_one_class_has_nothing_to_lose():
    assert collapsed(only(1), only(1), None) == ""


@pytest.mark.parametrize("task", ["regression", "embedding"])
def test_the_same_output_whatever_comes(task: str):
    flat = np.tile(VALUES[:1], (400, 1)) + 1e-6 * RNG.standard_normal(VALUES.shape)
    assert collapsed(VALUES, flat, task) == "it gives the same output for each of the 400 examples, which the original does not"


def test_a_handful_of_outputs():
    few = VALUES[np.arange(400) % 5]
    assert collapsed(VALUES, few, "regression") == "it gives 5 different outputs for 400 examples, the original 400"


def test_eight_bits_are_no_collapse():
    coarse = np.round(VALUES[:, :1] * 40) / 40
    assert len(np.unique(coarse)) < 256
    assert collapsed(VALUES[:, :1], coarse, "regression") == ""


def test_embeddings_whose_neighbours_are_others():
    """Alike in one common direction, by which each is nearly as every other: the cosine of all is near one."""
    own, other = (100 + RNG.standard_normal((300, 32)) for _ in range(2))
    assert "of the 10 nearest neighbours" in collapsed(own, other, "embedding")
    assert collapsed(own, own + 0.02 * RNG.standard_normal(own.shape), "embedding") == ""


def test_neighbours_are_those_that_scikit_learn_finds():
    from sklearn.neighbors import NearestNeighbors

    own = RNG.standard_normal((200, 16))
    other = own + 0.5 * RNG.standard_normal(own.shape)

    def nearest(vectors: Any) -> Any:
        vectors = vectors - vectors.mean(axis=0)
        return NearestNeighbors(n_neighbors=11, metric="cosine").fit(vectors).kneighbors(vectors, return_distance=False)[:, 1:]

    expected = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(nearest(own), nearest(other), strict=True)])
    assert neighbours_kept(own, other) == pytest.approx(expected)
    assert neighbours_kept(own[:20], other[:20]) is None, "too few to have ten near ones"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(bad: float):
    broken = SCORES.copy()
    broken[[3, 8], 2] = bad
    assert not_finite(SCORES, broken) == "its output holds NaN or infinite values on 2 of 400 examples, the original's is finite"
    assert not_finite(broken, broken) == "" == not_finite(SCORES, SCORES)
    assert not_finite(SCORES, SCORES.argmax(axis=1)) == ""
