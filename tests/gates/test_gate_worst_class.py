from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from gatekeeper.evaluate.places import pooled
from gatekeeper.gates import worst_class
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Comparison, Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact
from gatekeeper.records.scores import KeptClass
from gatekeeper.stats.binary import p_below

ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1)


def of(name: int, right: int, lost: int, wrong: int = 0, gained: int = 0) -> KeptClass:
    return KeptClass(name=f"class {name}", examples=right + wrong, both=right - lost, only_baseline=lost, only_variant=gained)


def judge(*classes: KeptClass, retention: float = 0.95) -> Decision:
    evidence = Evidence(artifact=ARTIFACT, comparison=Comparison(classes=classes))
    return worst_class.judge(worst_class.Config(retention=retention), evidence)


@pytest.mark.parametrize(
    ("rare", "verdict"),
    [
        (of(1, 80, 80), Verdict.FAIL),  # lost, and 96 % of the whole are right
        (of(1, 80, 20), Verdict.FAIL),
        (of(1, 80, 5), Verdict.PASS),
        (of(1, 3, 3), Verdict.FAIL),  # 0.05^3
        (of(1, 1, 1), Verdict.PASS),  # one example shows nothing
        (of(1, 0, 0, wrong=30), Verdict.PASS),  # the baseline does not find it either
        (of(1, 80, 20, wrong=100, gained=20), Verdict.PASS),  # other ones are right now, as many
    ],
)
def test_a_class_that_is_lost(rare: KeptClass, verdict: Verdict):
    found = judge(of(0, 1920, 0), rare)
    assert found.verdict is verdict, found.reason
    if verdict is Verdict.FAIL:
        assert found.reason.startswith("class 1: ")


def test_the_lost_are_named_with_counts_and_the_rest_is_counted():
    found = judge(*(of(i, 100, 40 + i) for i in range(5)))
    assert found.reason == (
        "class 4: 56 of 100 right answers in 100 examples, class 3: 57 of 100 right answers in 100 examples, "
        "class 2: 58 of 100 right answers in 100 examples and 2 more, needs 95.0%"
    )
    assert found.details["classes"]["class 0"] == {"examples": 100, "right": 100, "kept": 0.6, "gained": 0}


def test_too_few_examples_are_said():
    found = judge(of(0, 500, 0), of(1, 10, 0), of(2, 10, 1))
    assert found.verdict is Verdict.PASS and found.reason.endswith("; 2 of them have few examples, and none is shown to be lost")


def test_without_classes_it_does_not_apply():
    found = judge()
    assert not found.applies and found.verdict is not Verdict.PASS


CELLS = list(itertools.product([0.0, 0.2], [0.6, 0.9, 1.0], [5, 20, 100], [1, 10, 100]))
SLOW = [(0.2, 0.6, 100, n) for n in (1, 10, 100)] + [(0.2, 0.9, 100, n) for n in (1, 100)]
"""Of so many different counts that each takes seconds; those with fewer examples, or without churn, are always run."""


@pytest.mark.parametrize(
    ("churn", "accuracy", "examples", "classes"),
    [pytest.param(*cell, marks=pytest.mark.thorough if cell in SLOW else ()) for cell in CELLS],
)
def test_classes_exactly_at_the_limit_are_seldom_called_lost(classes: int, examples: int, accuracy: float, churn: float):
    """All of them together: at most 5 % (Clopper and Pearson), whatever turns right by chance."""
    from scipy.stats import binomtest

    generator = np.random.default_rng(classes * 1000 + examples)
    gained = churn * (1 - accuracy)
    lost = 0.05 * accuracy + gained
    runs = 100_000 // (classes + 20)
    shares = [accuracy - lost, lost, gained, max(0.0, 1 - accuracy - gained)]
    drawn = generator.multinomial(examples, shares, size=(runs, classes))
    known: dict[tuple[int, ...], float] = {}
    for counts in np.unique(drawn.reshape(-1, 4), axis=0).tolist():
        known[tuple(counts)] = p_below(counts[0], counts[1], counts[2], examples, 0.95)
    worst = [min(known[tuple(c)] for c in run) for run in drawn.tolist()]
    called = sum(p <= worst_class.ALPHA / classes for p in worst)  # Holm's first step decides whether any is
    assert binomtest(called, runs).proportion_ci(0.95, "exact").low <= 0.05


# --- places, of which those of an example are lost together --------------------------------------------------------------

LIMIT, TOGETHER = 0.95, 10


def sizes(kind: str, examples: int, rng: Any) -> Any:
    """Places of a class in each example."""
    if kind == "alike":
        return np.full(examples, 20)
    if kind == "one of half":
        return np.where(np.arange(examples) == 0, 4 * examples, 4)
    if kind == "heavy":
        return np.minimum(1 + (rng.pareto(1.1, examples) * 3).astype(int), 5000)
    return 1 + rng.poisson(rng.gamma(0.5, 40, examples))


def lost(how: str, right: Any, rng: Any) -> Any:
    """Of right answers a twentieth, on average of every example."""
    if how == "whole examples":
        return right * (rng.random(len(right)) < 1 - LIMIT)
    if how == "halves":
        return rng.binomial(right, 0.5 * (rng.random(len(right)) < 2 * (1 - LIMIT)))
    share = rng.beta(0.2, 0.2 * LIMIT / (1 - LIMIT), len(right)) if how == "shares" else 1 - LIMIT
    return rng.binomial(right, share)


def at_the_limit(kind: str, how: str, examples: int, found: float, rng: Any) -> KeptClass:
    """Where the baseline finds not all, three in ten examples of what is wrong turn right, and as much is lost elsewhere."""
    whole = sizes(kind, examples, rng)
    before = rng.binomial(whole, rng.beta(9 * found, 9 * (1 - found), examples)) if found < 1 else whole.copy()
    left = before - lost(how, before, rng)
    gained = (whole - before) * (rng.random(examples) < 0.3)
    left = left * (rng.random(examples) >= 0.3 * (1 - found) / found / LIMIT)
    return pooled("x", whole, before, left + gained, left)


@pytest.mark.parametrize("found", [1.0, 0.8])
@pytest.mark.parametrize("examples", [3, 20, 100])
@pytest.mark.parametrize("how", ["whole examples", "halves", "shares", "places"])
@pytest.mark.parametrize("kind", ["alike", "unequal", "heavy", "one of half"])
def test_places_exactly_at_the_limit_are_seldom_called_lost(kind: str, how: str, examples: int, found: float):
    """Ten groups of them at once, as classes and steps are."""
    from scipy.stats import binomtest

    rng, runs, called = np.random.default_rng(examples), 200, 0
    for _ in range(runs):
        each = [at_the_limit(kind, how, examples, found, rng) for _ in range(TOGETHER)]
        called += any(worst_class._shown([one for one in each if one.both + one.only_baseline], LIMIT))
    assert binomtest(called, runs).proportion_ci(0.95, "exact").low <= 0.05, called


@pytest.mark.parametrize(("examples", "shown"), [(600, True), (60, True), (20, True), (3, False)])
def test_a_third_of_a_class_in_every_example_is_shown(examples: int, shown: bool):
    """However many places there are: of three examples it may be chance."""
    whole = np.full(examples, 30)
    each = pooled("x", whole, whole, whole - 10, whole - 10)
    assert worst_class._shown([each], LIMIT) == [shown]
    assert judge(each).verdict is (Verdict.FAIL if shown else Verdict.PASS)


@pytest.mark.parametrize("stated", [{"together": 0.5}, {"together": 1e9}, {"together": float("nan")}, {"places": 10}])
def test_places_that_are_worth_more_or_less_than_can_be_are_not_believed(stated: dict[str, Any]):
    whole = np.full(50, 30)
    details = judge(pooled("x", whole, whole, whole, whole)).details["classes"]["x"]
    assert worst_class._possible(worst_class._of("x", details))
    assert not worst_class._possible(worst_class._of("x", details | stated))


def test_places_of_examples_that_have_one_each_are_worth_one_each():
    details = {"examples": 34, "right": 34, "kept": 0.0, "gained": 0, "places": 34}
    assert worst_class._possible(worst_class._of("x", details))
    assert not worst_class._possible(worst_class._of("x", details | {"together": 2.0}))


def test_classes_of_which_the_baseline_finds_nothing_are_an_error_and_no_classes_are_none():
    """As of a detector whose boxes all have a lower score than the one it is used with."""
    nothing = KeptClass(name="class a", examples=90, both=0, only_baseline=0, only_variant=0)
    found = judge(nothing)
    assert found.verdict is Verdict.ERROR and "finds nothing" in found.reason
    assert judge().verdict is Verdict.SKIP
