"""How sure a classifier is, and which of its answers flipped, beside bare loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.confidence import calibration, sureness
from gatekeeper.evaluate.flips import of_classes, of_texts
from gatekeeper.records.flips import MOST, Flip

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((50, 4)).astype(np.float32) * 3


def by_loop(row: Any) -> float:
    parts = [math.exp(value) for value in row.tolist()]
    return max(parts) / math.fsum(parts)


def test_logits_and_probabilities_say_the_same() -> None:
    told = np.array([by_loop(row) for row in LOGITS])
    assert sureness(LOGITS, LOGITS) == pytest.approx(told, rel=1e-6)
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    assert sureness(shares, shares) == pytest.approx(told, rel=1e-5)
    assert sureness(LOGITS[:, None, :], LOGITS) == pytest.approx(told, rel=1e-6)


SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
MANY = np.full((5, 1000), 0.001)


@pytest.mark.parametrize(
    ("variant", "reference", "said"),
    [
        (np.full((50, 4), 0.9), SHARES, "the variant's output holds shares that do not add up to one"),
        (np.where(np.arange(4) == 0, 0.99, SHARES), SHARES, "do not add up to one"),
        (SHARES * 0.5, SHARES, "do not add up to one"),
        (LOGITS, SHARES, "the variant's output holds numbers that are no probabilities"),
        (np.full((3, 1), 7.0), np.full((3, 1), 0.7), "no probabilities"),
        (MANY * 900, MANY, "do not add up to one"),
    ],
)
def test_a_variant_beside_probabilities_must_have_some(variant: Any, reference: Any, said: str) -> None:
    with pytest.raises(NotMeasured, match=said):
        sureness(variant, reference)
    labels = np.zeros(len(variant), int)
    assert said in calibration("class", reference, variant, labels, np.arange(len(variant)), 15).problem


def test_eight_bits_round_probabilities_of_a_variant() -> None:
    assert sureness(np.round(SHARES * 256) / 256, SHARES) == pytest.approx(SHARES.max(axis=1), abs=1 / 512)
    assert sureness(np.zeros_like(MANY), MANY).tolist() == [0.0] * 5, "of a thousand classes each may round to nothing"


def test_a_single_score_is_of_yes() -> None:
    yes = np.array([[0.1], [0.5], [0.9]])
    assert sureness(yes, yes).tolist() == pytest.approx([0.9, 0.5, 0.9])
    logits = np.array([[-2.0], [0.0], [3.0]])
    assert sureness(logits, logits).tolist() == pytest.approx([1 / (1 + math.exp(-2)), 0.5, 1 / (1 + math.exp(-3))])


@pytest.mark.parametrize("outputs", [np.arange(5), np.full((5, 3), 0.9)])
def test_outputs_without_probabilities_are_refused(outputs: Any) -> None:
    with pytest.raises(NotMeasured):
        sureness(outputs, outputs)


def test_where_it_is_not_known_the_problem_says_why() -> None:
    units, labels = np.arange(50), LOGITS.argmax(axis=1)
    assert "no labels" in calibration("class", LOGITS, LOGITS, None, units, 15).problem
    assert "no classes" in calibration("numbers", LOGITS, LOGITS, labels, units, 15).problem
    assert "answers without scores" in calibration("class", labels, labels, labels, units, 15).problem
    found = calibration("class", LOGITS, LOGITS, labels, np.arange(50) // 2, 15)
    assert (found.problem, found.examples) == ("", 25), "copies count once"


def test_flips_are_those_of_a_bare_loop() -> None:
    other = LOGITS + RNG.standard_normal(LOGITS.shape).astype(np.float32) * 4
    labels = np.where(RNG.random(50) < 0.8, LOGITS.argmax(axis=1), 0)
    names, places = ("a", "b", "c", "d"), np.arange(50) + 100
    found = of_classes(LOGITS, other, labels, np.arange(50), places, names)
    lost, gained = [], 0
    for i in range(50):
        before, after, right = int(LOGITS[i].argmax()), int(other[i].argmax()), int(labels[i])
        if before == right != after:
            lost.append(Flip(example=str(100 + i), label=names[right], baseline=names[before], variant=names[after]))
        gained += after == right != before
    assert (found.lost, found.gained) == (len(lost), gained) and found.shown == lost[:MOST] and gained and len(lost) > 5


def test_labels_of_names_are_shown_as_names_and_without_labels_the_baseline_is_right() -> None:
    names = np.array(["ant", "bee", "cat", "dog"])[LOGITS.argmax(axis=1)]
    found = of_classes(LOGITS, np.roll(LOGITS, 1, axis=1), names, np.arange(50), np.arange(50), ())
    assert {each.label for each in found.shown} <= {"ant", "bee", "cat", "dog"} and found.lost == 50 and len(found.shown) == MOST
    alone = of_classes(LOGITS, np.roll(LOGITS, 1, axis=1), None, np.arange(50), np.arange(50), ())
    assert (alone.lost, alone.gained) == (50, 0) and alone.shown[0].label == alone.shown[0].baseline


def test_prompts_are_shown_by_name_the_worst_first() -> None:
    p, q = np.array([1.0, 0.0, 0.5, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])
    found = of_texts(["a", "b", "c", "d"], ["1"] * 4, ["1", "1", "1", "9"], ["1", "x" * 99, "2", "1"], p, q)
    assert (found.lost, found.gained) == (2, 1) and [each.example for each in found.shown] == ["b", "c"]
    assert found.shown[0].variant == "x" * 57 + "..."
