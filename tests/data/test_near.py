"""Copies but for a trifle are found, and different examples are not taken for them, whatever a model answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gatekeeper.data.distinct import distinct, firsts
from gatekeeper.data.near import near


def examples(seed: int = 0, count: int = 1000, width: int = 32) -> Any:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


WEIGHTS = examples(1, 32, 10)


@pytest.mark.parametrize("seed", range(5))
def test_different_examples_are_no_copies(seed: int) -> None:
    x = examples(seed)
    found = near([x], x @ WEIGHTS)
    assert (found.answered, found.asked) == (0, 0)


@pytest.mark.parametrize("shape", [(32,), (4, 8), (1, 32, 1)])
def test_a_flipped_bit_is_found_in_every_copy(shape: tuple[int, ...]) -> None:
    x = np.repeat(examples(count=20), 50, axis=0)
    x.view(np.uint32)[np.arange(1000), np.arange(1000) % 32] ^= np.arange(1000, dtype=np.uint32) % 50 > 0
    x.view(np.uint32)[np.arange(1000), 7] ^= np.uint32(2) * (np.arange(1000, dtype=np.uint32) % 50 > 31)
    found = near([x.reshape(1000, *shape)], x @ WEIGHTS)
    assert (found.answered, found.asked) == (980, 980)


def test_what_a_model_does_not_look_at_hides_no_copy_of_the_answer() -> None:
    x = np.repeat(examples(count=20), 50, axis=0)
    answers = x @ WEIGHTS
    x[:, 5] = examples(3, 1000, 1)[:, 0]
    found = near([x], answers)
    assert (found.answered, found.asked) == (980, 0), "the inputs differ: it is said, and not more"


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: (x @ WEIGHTS).argmax(axis=1),
        lambda x: (x @ WEIGHTS > 0).astype(np.float32),
        lambda x: np.eye(10, dtype=np.float32)[(x @ WEIGHTS).argmax(axis=1)],
        lambda x: np.zeros((len(x), 10), np.float32),
        lambda x: (x @ WEIGHTS[:, 0] > 0).astype(np.float32)[:, None],
        lambda x: np.round(x @ WEIGHTS[:, :1]),
        lambda x: np.array(["a", "b"])[(x[:, 0] > 0).astype(int)],
    ],
    ids=["classes", "yes or no", "sure", "empty", "one, sure", "one, few values", "names"],
)
def test_the_same_answer_to_different_examples_makes_no_copies_of_them(answer: Any) -> None:
    x = examples()
    assert near([x], answer(x)).answered == 0


def test_one_number_an_answer_is_not_alike_by_chance() -> None:
    x = examples(count=20_000)
    assert near([x], x @ WEIGHTS[:, :1]).answered == 0


def test_one_example_that_is_much_louder_hides_nothing_of_the_others() -> None:
    x = examples()
    x[0] *= 1e6
    found = near([x], x @ WEIGHTS)
    assert (found.answered, found.asked) == (0, 0)


def test_several_inputs_count_together() -> None:
    one, other = np.repeat(examples(count=1), 1000, axis=0), examples(4)
    assert near([one, other], one @ WEIGHTS + other @ WEIGHTS).asked == 0
    assert near([one, np.zeros((1000, 3), np.int64)], one @ WEIGHTS).asked == 999


def test_different_texts_are_different_however_they_are_answered() -> None:
    texts = np.array([f"text {i}" for i in range(1000)])[:, None]
    assert near([texts], np.arange(1000) % 3).asked == 0
    assert near([texts], np.eye(3, dtype=np.float32)[np.arange(1000) % 3]).answered == 0
    assert near([np.repeat(texts[:10], 100, axis=0)], np.arange(1000) // 100).asked == 990


def test_zero_has_no_sign_and_no_copy() -> None:
    x = examples(count=4)
    x[:, 0], x[1:, 1:] = [0.0, -0.0, 0.0, -0.0], x[0, 1:]
    assert distinct({"x": x}).tolist() == [0, 0, 0, 0]
    assert distinct({"x": x, "n": np.arange(4)}).tolist() == [0, 1, 2, 3]
    assert distinct({"x": x > 0}).tolist() == [0, 0, 0, 0]


def test_rows_are_the_same_where_all_columns_are() -> None:
    one, other = np.array([0, 0, 1, 0]), np.array(["a", "a", "a", "b"])
    assert firsts(one, other).tolist() == [0, 2, 3]
