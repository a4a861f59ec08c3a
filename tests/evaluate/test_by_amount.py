"""Examples with nothing and with little in them, by hand; and what has as much at several queries, numbers and letters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gatekeeper.data.prepared import IGNORED
from gatekeeper.evaluate.by_amount import SPECK, with_few, with_nothing
from gatekeeper.evaluate.tasks._axes import Way
from gatekeeper.evaluate.tasks._base import Reading, task
from gatekeeper.evaluate.tasks.regression import MOST_NUMBERS
from gatekeeper.gates import worst_class
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Comparison, Evidence
from gatekeeper.records.measured import Artifact
from gatekeeper.records.scores import KeptClass


def kept(name: str, truth: Any, before: Any, after: Any, **told: Any) -> dict[str, KeptClass]:
    return {each.name: each for each in task(name).kept(before, after, truth, {}, Way(Reading(task=name, **told)))}


def lost(found: dict[str, KeptClass]) -> str:
    comparison = Comparison(classes=tuple(found.values()))
    decision = worst_class.judge(
        worst_class.DEFAULT, Evidence(artifact=Artifact(path="x", sha256="", bytes=1), comparison=comparison)
    )
    return decision.reason if decision.verdict is Verdict.FAIL else ""


def test_nothing_stays_clean_by_hand() -> None:
    there = np.zeros((5, 3), bool)
    there[0, 1] = True
    before, after = there.copy(), there.copy()
    before[4, 0] = after[3, 2] = after[0, 0] = True
    (found,) = with_nothing("empty", there, before, after)
    assert (found.examples, found.both, found.only_baseline, found.only_variant) == (4, 2, 1, 1)
    assert with_nothing("empty", ~there | there, before, after) == []


@pytest.mark.parametrize(("pixels", "smallest", "clean"), [(3, 9, True), (4, 9, False), (3, 3, False), (1, 2, True)])
def test_specks_are_no_alarm_unless_something_is_as_small(pixels: int, smallest: int, clean: bool) -> None:
    there = np.zeros((2, 3 * SPECK // 100, 100), bool)
    there[0, 0, :smallest] = True
    after = there.copy()
    after[1, 5, :pixels] = True
    (found,) = with_nothing("empty", there, there, after)
    assert (found.both, found.examples) == (int(clean), 1)


def test_few_are_counted_by_how_many_there_are() -> None:
    held = np.asarray([0, 1, 1, 2, 3, 4, 5, 8, 9])
    there = np.arange(10) < held[:, None]
    after = np.ones(there.shape, bool)
    after[[1, 4], 0] = False
    found = {each.name: each for each in with_few(("thing", "things"), there, there, after)}
    assert {name: (each.examples, each.places, each.only_baseline) for name, each in found.items()} == {
        "examples with 1 thing": (2, 2, 1),
        "examples with 2 things": (1, 2, 0),
        "examples with 3 to 4 things": (2, 7, 1),
        "examples with 5 to 8 things": (2, 13, 0),
        "examples with 9 things": (1, 9, 0),
    }
    assert with_few(("thing", "things"), there[:3], there[:3], after[:3]) == []


def test_the_background_is_the_class_named_so_else_the_commonest_and_what_nobody_asks_is_not_empty() -> None:
    truth = np.full((6, 4), 1)
    truth[3:5, 0], truth[5] = 2, IGNORED
    assert kept("token_classification", truth, truth, truth)["examples with nothing but class 1"].examples == 3
    named = kept("token_classification", truth, truth, truth, classes=("A", "B", "O"))
    assert "examples with nothing but class O" not in named or not named["examples with nothing but class O"].examples
    some = {name for name in named if "beside" in name}
    assert some == set()  # of three to four each, as of a class
    truth[4, :3] = 2
    few = kept("token_classification", truth, truth, truth, classes=("A", "B", "O"))
    assert {"examples with 1 place beside class O", "examples with 3 to 4 places beside class O"} <= set(few)


def test_a_thing_with_one_query_does_not_hide_that_another_is_lost() -> None:
    rng = np.random.default_rng(0)
    things = np.concatenate([np.repeat(np.arange(8), 6), [8], np.arange(9)])  # the last nine are searched
    query = (np.arange(58) < 49).astype(int)
    before = np.eye(9)[things] + rng.normal(0, 0.01, (58, 9))
    after = before.copy()
    after[(things == 3) & (query == 1)] *= -1
    found = {each.name: each for each in task("retrieval").kept(before, after, np.stack([things, query], axis=1), {}, None)}
    assert set(found) == {f"queries for thing {i}" for i in range(8)} and lost(found).startswith("queries for thing 3: ")


@pytest.mark.parametrize("numbers", [MOST_NUMBERS, MOST_NUMBERS + 1, 300])
def test_numbers_that_go_no_higher_are_seen_however_many_there_are(numbers: int) -> None:
    rng = np.random.default_rng(numbers)
    truth = rng.normal(size=(500, numbers))
    if numbers > MOST_NUMBERS:
        truth[:, 0] = 1.0  # one that never differs has no highest
    before = truth + rng.normal(0, 0.1, truth.shape)
    for after, wrong in ((before, ""), (np.minimum(before, 1.5), "highest"), (np.maximum(before, -1.5), "lowest")):
        found = {each.name: each for each in task("regression").kept(before, after, truth, {}, None)}
        assert bool(lost(found)) == bool(wrong) and (numbers == MOST_NUMBERS or wrong in lost(found))
        names = {"the lowest of each number", "the highest of each number", "numbers that hardly differ"}
        assert numbers == MOST_NUMBERS or set(found) == names
    moved = before + rng.normal(0, 0.02, truth.shape)
    assert not lost({each.name: each for each in task("regression").kept(before, moved, truth, {}, None)})


@pytest.mark.parametrize("labelled", [True, False])
def test_a_letter_that_is_made_up_is_seen_and_one_that_is_as_often_wrong_elsewhere_is_not(labelled: bool) -> None:
    truth = np.asarray(["abcdefghij" * 5 + ("x" if i % 10 == 0 else "") for i in range(400)])
    before = np.asarray([text + "x" * (i % 5 == 1) for i, text in enumerate(truth)]) if labelled else truth
    moved = np.asarray([text + "x" * (i % 5 == 2) for i, text in enumerate(truth)]) if labelled else truth
    after = np.asarray([text[:25] + "x" + text[25:] for text in truth])
    right = truth if labelled else None
    found = [{each.name: each for each in task("transcription").kept(before, own, right, {}, None)} for own in (moved, after)]
    assert not lost(found[0]) and "answers of letter x: " in lost(found[1])
    assert found[0]["answers of letter x"].places == (200 if labelled else 40)


def test_what_is_said_of_answers_is_what_is_counted() -> None:
    truth = np.append(np.full(11, 1), np.zeros(989, int))[:, None]
    after = truth.copy()
    after[500:509] = 1
    found = kept("token_classification", truth, truth, after)
    assert lost(found) == "answers of class 1: 11 in 11 examples, 9 wrong ones added, needs 95.0%"
    after[500:600] = 1
    assert "answers of class 1: 11 in 11 examples, at least 11 wrong ones added" in lost(
        kept("token_classification", truth, truth, after)
    )
