"""Numbers that are always the same, or whose differences the baseline does not see: sound variants are kept, broken ones lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from evaluate.test_by_amount import lost
from sklearn.metrics import r2_score

from gatekeeper.evaluate.metrics import r2
from gatekeeper.evaluate.room import STEP, room
from gatekeeper.evaluate.tasks._base import task
from gatekeeper.evaluate.tasks.regression import ALIKE, FAR, MOST_NUMBERS

EXAMPLES, STEADY = 600, 1
Array = Any


def world(level: float, off: float, jitter: float, numbers: int) -> tuple[Array, Array]:
    """Labels and a baseline's answers; number STEADY is always the same but for `jitter`, and the baseline `off` by so much."""
    rng = np.random.default_rng(5)
    truth = rng.normal(size=(EXAMPLES, numbers)) * np.logspace(-1, 3, numbers)
    before = truth + rng.normal(size=truth.shape) * truth.std(axis=0) * 0.2
    truth[:, STEADY] = level + jitter * rng.normal(size=EXAMPLES)
    before[:, STEADY] = level + off * rng.normal(size=EXAMPLES)
    return truth, before.astype(np.float32).astype(float)


def bfloat16(answers: Array) -> Array:
    bits = answers.astype(np.float32).view(np.uint32)
    return ((bits + 0x8000) & 0xFFFF0000).astype(np.uint32).view(np.float32).astype(float)


SOUND: dict[str, Callable[[Array], Array]] = {
    "float16": lambda b: b.astype(np.float16).astype(float),
    "bfloat16": bfloat16,
    "float32": lambda b: b * (1 + np.random.default_rng(0).normal(0, 3e-7, b.shape)),
    "the same": lambda b: b,
}


def with_steady(answers: Array, values: Array) -> Array:
    answers = answers.copy()
    answers[:, STEADY] = values
    return answers


WORLDS = [
    # level, off, jitter
    (20.0, 0.1, 0.0),
    (20.0, 0.0, 0.0),
    (0.1, 0.0, 0.0),  # as a decimal: its mean is not quite itself
    (0.0, 1e-3, 0.0),
    (0.0, 0.0, 0.0),
    (20.0, 0.1, 1e-4),  # a label that trembles
    (1e4, 0.0, 1e-4),  # less than 32 bits hold
    (-300.0, 5.0, 0.0),
]


@pytest.mark.parametrize("numbers", [2, 5, MOST_NUMBERS, MOST_NUMBERS + 1])
@pytest.mark.parametrize(("level", "off", "jitter"), WORLDS)
def test_sound_variants_keep_a_number_that_never_differs_and_broken_ones_do_not(
    level: float, off: float, jitter: float, numbers: int
) -> None:
    truth, before = world(level, off, jitter, numbers)
    regression = task("regression")
    unit = max(off, abs(level) / 50, 1e-2)
    broken = {
        "shifted": with_steady(before, before[:, STEADY] + 3 * unit),
        "noisy": with_steady(before, before[:, STEADY] + 4 * unit * np.random.default_rng(1).normal(size=EXAMPLES)),
        "swapped": with_steady(before, before[:, 0] + 5 * unit * np.sign(before[:, 0])),
    }
    if level:
        broken["dead"] = with_steady(before, 0)
    for right in (truth, None):
        answers = before if right is None and not off else before if right is not None else with_steady(before, level)
        for name, make in SOUND.items():
            found = {each.name: each for each in regression.kept(answers, make(answers), right, {}, None)}
            assert not lost(found), (name, right is None)
    for name, answers in broken.items():
        found = {each.name: each for each in regression.kept(before, answers, truth, {}, None)}
        where = "numbers that hardly differ" if numbers > MOST_NUMBERS else "[1] from "
        assert where in lost(found), name


@pytest.mark.parametrize(("level", "off", "jitter"), [each for each in WORLDS if not each[1]])
def test_answers_that_never_differ_agree_where_they_are_rounded(level: float, off: float, jitter: float) -> None:
    _, before = world(level, off, 0.0, 3)
    agreement = task("regression").agreement
    for name, make in SOUND.items():
        assert agreement(before, make(before)).variant > 0.99, name
    assert agreement(before, with_steady(before, level + max(level / 50, 0.01))).variant == 0


def test_the_room_is_what_is_told_by_hand() -> None:
    right = np.array([[0.0, 5.0, 0.0, 1.0], [2.0, 5.0, 0.0, 1.0]])
    baseline = np.array([[0.0, 5.0, 0.0, 4.0], [2.0, 5.0, 0.0, -2.0]])
    # A spread of 1; a size of 5; nothing, so the smallest of what the others tell, 1; off by 3 where nothing differs.
    assert room(right, baseline, FAR).tolist() == [FAR * 1, STEP * 5, STEP * 1, 3.0]
    assert room(right, right, ALIKE).tolist() == [ALIKE * 1, STEP * 5, STEP * 1, STEP * 1]
    assert room(right[:, 2:3], right[:, 2:3], ALIKE).tolist() == [STEP], "whatever is asked, it is more than nothing"


def test_what_the_baseline_explains_keeps_its_room() -> None:
    """293 and a tenth: half precision loses what is told."""
    truth, before = world(293.0, 0.0, 0.1, 3)
    before[:, STEADY] = truth[:, STEADY] + np.random.default_rng(2).normal(0, 0.01, EXAMPLES)
    found = {each.name: each for each in task("regression").kept(before, bfloat16(before), truth, {}, None)}
    assert lost(found)


@pytest.mark.parametrize("level", [0.1, 20.0, 0.0])
def test_r2_of_a_number_that_never_differs_is_that_of_scikit_learn_but_for_what_rounding_leaves(level: float) -> None:
    truth, before = world(level, 0.0, 0.0, 3)
    before[:, STEADY] = level
    noisy = with_steady(before, level + 0.05 * np.random.default_rng(3).normal(size=EXAMPLES))
    right = truth.copy()
    right[:, STEADY] = 2.0  # whose mean is itself: what scikit-learn then says of any level
    for answers in (before, noisy):
        assert r2.compare(answers, answers, truth).baseline == pytest.approx(
            r2_score(right, with_steady(answers, answers[:, STEADY] - level + 2.0)), abs=1e-9
        )
    rounded = r2.compare(before, bfloat16(before), truth)
    assert rounded.variant > 0.99 * rounded.baseline
    shifted = r2.compare(before, with_steady(before, level * 1.02 + 0.01), truth)
    assert shifted.variant < 0.7 * shifted.baseline
