"""Of every task, by each metric and without labels: what a user would call broken does not pass, what rounding does does."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.broken import WORLDS, World, judged, passes

from gatekeeper.evaluate.metrics._base import REGISTRY as METRICS
from gatekeeper.evaluate.metrics._base import REGRESSION, metric, of_family
from gatekeeper.evaluate.tasks._base import REGISTRY, Reading, is_text, task
from gatekeeper.records.base import Verdict

TASKS = [name for name in REGISTRY.builtin if not is_text(name)]
UNLABELLED = "agreement"
CASES = [(name, by) for name in TASKS for by in (*of_family(task(name).FAMILY), UNLABELLED)]


@cache
def world(name: str) -> World:
    return WORLDS[name]()


def test_every_task_has_broken_variants() -> None:
    assert set(WORLDS) == set(TASKS)
    assert all({"random", "constant"} <= set(world(name).broken) for name in TASKS)


@pytest.mark.parametrize(("name", "by"), CASES)
def test_what_is_broken_does_not_pass(name: str, by: str, tmp_path: Path) -> None:
    own = world(name)
    labels = own.unlabelled if by == UNLABELLED else own.labels
    sound = judged(tmp_path / "sound", own, own.sound, labels, None if by == UNLABELLED else by)
    assert passes(sound), {gate: each.reason for gate, each in sound.items()}
    for wrong, after in own.broken.items():
        found = judged(tmp_path / wrong.replace(" ", "_"), own, after, labels, None if by == UNLABELLED else by)
        assert not passes(found), (wrong, {gate: each.reason for gate, each in found.items()})


# --- chance levels -------------------------------------------------------------------------------------------------------

BY_METRIC = [(name, by) for name in TASKS for by in of_family(task(name).FAMILY)]


def read(own: World, outputs: Any, labels: Any) -> tuple[Any, Any]:
    """Answers and labels as metrics take them."""
    judged_as = task(own.task)
    way = judged_as.way(own.before, Reading(task=own.task, places=own.labels.shape[1:], **own.told))
    answers = judged_as.read(own.before, way)
    return judged_as.read(outputs, way), judged_as.check(labels, answers, way)


def test_every_metric_says_what_chance_gets() -> None:
    """By a guess, by zero, or, of errors, by what is explained: by nothing else is a variant held beside it."""
    for name in METRICS.builtin:
        module: Any = metric(name)
        if is_text(next(each for each in REGISTRY.builtin if task(each).FAMILY == module.FAMILY)):
            continue
        assert (
            hasattr(module, "guess") or getattr(module, "CHANCE", None) == 0.0 or module.FAMILY in (REGRESSION, "classification")
        ), name


@pytest.mark.parametrize(
    ("name", "by"), [each for each in BY_METRIC if each[0] not in ("image_classification", "text_classification")]
)
def test_answers_in_random_order_get_what_is_said(name: str, by: str) -> None:
    own, module = world(name), metric(by)
    more = (tuple(own.told["classes"]),) if getattr(module, "NAMED", False) else ()
    found, said = [], []
    for seed in range(5):
        outputs = np.random.default_rng(seed).permutation(own.before)
        answers, labels = read(own, outputs, own.labels)
        pair = module.compare(answers, answers, labels, *more)
        found.append(
            float(pair.scores.q.mean()) if by == "cosine_similarity" else pair.baseline if pair.level is None else pair.level
        )
        if hasattr(module, "guess"):
            said.append(module.guess(answers, labels, *more))
    if hasattr(module, "guess"):
        assert np.mean(found) <= np.mean(said) + 0.02, (found, said)
    elif getattr(module, "CHANCE", None) == 0.0:
        assert np.mean(found) <= 0.05, found


@pytest.mark.parametrize("k", [1, 5, 10])
def test_neighbours_by_lot_are_as_many_as_counted(k: int) -> None:
    """Drawn by lot many times over, by another way than the formula."""
    rng = np.random.default_rng(0)
    things = np.repeat(np.arange(12), [2, 3, 3, 4, 5, 6, 2, 2, 9, 1, 4, 3])
    labels = np.stack([things, np.ones(len(things), int)], axis=1)
    asked = [i for i in range(len(things)) if (things == things[i]).sum() > 1]
    hits = 0
    for _ in range(4000):
        i = asked[rng.integers(len(asked))]
        others = rng.permutation([j for j in range(len(things)) if j != i])[:k]
        hits += bool((things[others] == things[i]).any())
    assert metric(f"recall_at_{k}").guess(None, labels) == pytest.approx(hits / 4000, abs=0.03)


def test_random_orders_get_what_ties_do() -> None:
    from gatekeeper.evaluate.metrics._ranked import ndcg, random

    rng = np.random.default_rng(1)
    gains = rng.integers(0, 4, 9).astype(float)
    for most in (None, 3):
        mean = np.mean([ndcg(gains, rng.random(9), most) for _ in range(4000)])
        assert random(gains, most) == pytest.approx(mean, abs=0.01)


OWN = """
def right(outputs, labels):
    return outputs.argmax(axis=1) == labels


def quality(outputs, labels):
    return {}


def error(outputs, labels):
    return (outputs.argmax(axis=1) != labels).mean()
"""


@pytest.mark.parametrize(
    "value",
    ["0.95 + 0.05 * right(outputs, labels)", "float(0.95 + 0.05 * right(outputs, labels).mean())"],
)
def test_a_metric_of_the_users_own_is_held_beside_chance(value: str, tmp_path: Path) -> None:
    """By one that gives nearly all to whatever is answered."""
    own = world("tabular_classification")
    found = {}
    for name, after in {"sound": own.sound, **own.broken}.items():
        folder = tmp_path / name.replace(" ", "_")
        folder.mkdir()
        (folder / "mine.py").write_text(OWN.format(value))
        found[name] = judged(folder, own, after, own.labels, "mine:quality")["accuracy"]
    assert found["sound"].verdict is not Verdict.FAIL, found["sound"].reason
    assert found["random"].verdict is found["constant"].verdict is Verdict.FAIL
    assert found["random"].reason.startswith(("it keeps", "it is no better than chance"))


def test_a_metric_of_the_users_own_that_counts_errors_is_not(tmp_path: Path) -> None:
    own = world("tabular_classification")
    (tmp_path / "mine.py").write_text(OWN.format(0))
    found = judged(tmp_path, own, own.sound, own.labels, "mine:error")["accuracy"]
    assert found.verdict is not Verdict.FAIL, found.reason
