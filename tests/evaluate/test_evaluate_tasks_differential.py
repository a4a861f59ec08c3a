"""Values of metrics of several answers an example, against scikit-learn, torchmetrics and seqeval, whatever the answers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.lazily import Lazily

from gatekeeper.data.prepared import IGNORED
from gatekeeper.evaluate.metrics import entity_f1
from gatekeeper.evaluate.metrics._base import REGISTRY, metric
from gatekeeper.evaluate.tasks._base import judged_as

sklearn = Lazily("sklearn.metrics")
seqeval = Lazily("seqeval.metrics")
torch = Lazily("torch")
torchmetrics = Lazily("torchmetrics.functional")

HELD = {
    "token_accuracy", "token_macro_f1", "entity_f1", "mean_iou", "dice", "multilabel_macro_f1", "multilabel_micro_f1",
    "subset_accuracy",
}  # fmt: skip
NAMES = ("O", "B-X", "I-X", "B-Y", "I-Y", "E-X", "S-Y")
seeds = st.integers(0, 2**31)


def drawn(seed: int, classes: int, shape: tuple[int, ...], ignored: float = 0.2) -> tuple[Any, Any, Any]:
    """Baseline, variant and labels that agree more often than not, some of them left out, and some classes in none of them."""
    r = np.random.default_rng(seed)
    there = r.permutation(classes)[: r.integers(2, classes + 1)]
    labels = there[r.integers(0, len(there), shape)]
    answers = [np.where(r.random(shape) < 0.4, r.integers(0, classes, shape), labels) for _ in range(2)]
    labels = np.where(r.random(shape) < ignored, IGNORED, labels)
    labels.reshape(-1)[0] = there[0]
    return (*(np.where(labels == IGNORED, IGNORED, each) for each in answers), labels)


def test_every_metric_is_held_against_a_reference() -> None:
    assert {name for name in REGISTRY.builtin if judged_as(None, name).ANSWERS == "classes"} == HELD


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_token_metrics_are_scikit_learns(seed: int) -> None:
    *models, labels = drawn(seed, 6, (12, 9))
    seen = labels != IGNORED
    for name, expected in (
        ("token_accuracy", sklearn.accuracy_score),
        ("token_macro_f1", lambda y, p: sklearn.f1_score(y, p, average="macro")),
    ):
        found = metric(name).compare(*models, labels)
        assert [found.baseline, found.variant] == pytest.approx([expected(labels[seen], each[seen]) for each in models])


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_pixel_metrics_are_torchmetrics_and_scikit_learns(seed: int) -> None:
    *models, labels = drawn(seed, 6, (5, 7, 8))
    seen = labels != IGNORED
    found = metric("mean_iou").compare(*models, labels)
    for value, answers in zip((found.baseline, found.variant), models, strict=True):
        assert value == pytest.approx(sklearn.jaccard_score(labels[seen], answers[seen], average="macro"))
        kept = torch.from_numpy(np.where(seen, answers, 0)), torch.from_numpy(labels)
        theirs = torchmetrics.jaccard_index(*kept, task="multiclass", num_classes=6, ignore_index=IGNORED)
        assert value == pytest.approx(float(theirs), abs=1e-6)
    found = metric("dice").compare(*models, labels)
    assert found.variant == pytest.approx(sklearn.f1_score(labels[seen], models[1][seen], average="macro"))


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_label_metrics_are_scikit_learns(seed: int) -> None:
    r = np.random.default_rng(seed)
    labels = (r.random((20, 5)) < 0.4).astype(int)
    labels[0] = 1  # every label is there: of one that is nowhere scikit-learn has a warning, and 0
    models = [np.where(r.random(labels.shape) < 0.3, 1 - labels, labels) for _ in range(2)]
    for name, expected in (
        ("multilabel_macro_f1", lambda y, p: sklearn.f1_score(y, p, average="macro")),
        ("multilabel_micro_f1", lambda y, p: sklearn.f1_score(y, p, average="micro")),
        ("subset_accuracy", sklearn.accuracy_score),
    ):
        found = metric(name).compare(*models, labels)
        assert [found.baseline, found.variant] == pytest.approx([expected(labels, each) for each in models])


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_entities_are_seqevals_whatever_the_tags(seed: int) -> None:
    """Also where tags follow one another in no order, sentences are empty, and parts of words are left out."""
    *models, labels = drawn(seed, len(NAMES), (8, 11), ignored=0.3)
    labels[3] = IGNORED
    found = entity_f1.compare(*(np.where(labels == IGNORED, IGNORED, each) for each in models), labels, NAMES)

    def tags(answers: Any) -> list[list[str]]:
        return [[NAMES[t] for t in row[seen]] for row, seen in zip(answers, labels != IGNORED, strict=True)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where there is no entity at all
        expected = [seqeval.f1_score(tags(labels), tags(each)) for each in models]
    assert [found.baseline, found.variant] == pytest.approx(expected)
