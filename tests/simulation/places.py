"""Models that answer at many places an example: what their counts are at exactly so much that is kept.

Images are of a few classes each, of which some are rare; texts have tokens of their own number; of labels an example has any
number. Answers to one example go wrong together: a model may miss a whole image.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from gatekeeper.evaluate.metrics import _counts
from gatekeeper.records.scores import PairedScores

PIXELS, MANY = 2000, 20_000
PRESENT = {  # how often each class is somewhere in an image; the first is always there, and what is lost is taken for it
    "3 classes": (1.0, 0.6, 0.5),
    "10 classes": (1.0, 0.8, 0.6, 0.5, 0.4, 0.4, 0.3, 0.3, 0.2, 0.1),
}


def images(kind: str, rng: Any, n: int) -> tuple[Any, Any, Any]:
    """Pixels labelled with each class, those that the baseline gives it, and rightly; each [n, classes]."""
    present = np.array(PRESENT[kind])
    weight = rng.gamma(0.7, size=(n, len(present))) * (rng.random((n, len(present))) < present)
    weight[:, 0] += 0.5
    labelled = np.round(PIXELS * weight / weight.sum(axis=1, keepdims=True)).astype(int)
    right = rng.binomial(labelled, rng.beta(9, 1.5, size=labelled.shape))
    return labelled, *answered(labelled, right)


def answered(labelled: Any, right: Any) -> tuple[Any, Any]:
    """What is given where not all is right: the first class, and the second for what is of the first."""
    wrong, given = labelled - right, right.copy()
    given[:, 0] += wrong[:, 1:].sum(axis=1)
    given[:, 1] += wrong[:, 0]
    return given, right


def worse(how: str, lost: float, rng: Any, labelled: Any, right: Any) -> Any:
    """What of it the variant still gets right."""
    n = len(right)
    if how == "whole images":
        return right * (rng.random((n, 1)) >= lost)
    if how == "one class":
        return right * np.where(np.arange(right.shape[1]) == 1, rng.random((n, 1)) >= lost, True)
    if how == "the rarest class":
        return right * np.where(np.arange(right.shape[1]) == right.shape[1] - 1, rng.random((n, 1)) >= lost, True)
    return rng.binomial(right, 1 - np.minimum(lost * rng.gamma(2, 0.5, size=(n, 1)), 1))  # some pixels of every image


def value(whole: Any, union: bool) -> float:
    labelled, given, right = whole
    return float(np.mean(right / (labelled + given - right) if union else 2 * right / (labelled + given)))


@cache
def loss(kind: str, how: str, union: bool, kept: float) -> float:
    """How much is lost where exactly so much is kept, of what many images are on average."""
    labelled, given, right = images(kind, np.random.default_rng(99), MANY)
    before = value([each.sum(axis=0) for each in (labelled, given, right)], union)
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        after = worse(how, middle, np.random.default_rng(98), labelled, right)
        ratio = value([each.sum(axis=0) for each in (labelled, *answered(labelled, after))], union) / before
        low, high = (middle, high) if ratio > kept else (low, middle)
    assert high < 1, f"{how} cannot cost so much"
    return low


def segmented(kind: str, how: str, union: bool, rng: Any, n: int, kept: float) -> PairedScores:
    labelled, given, right = images(kind, rng, n)
    after = worse(how, loss(kind, how, union, kept), rng, labelled, right)
    return _counts.of_tables(labelled, (given, right), answered(labelled, after), union).scores


def tagged(how: str, rng: Any, n: int, kept: float) -> PairedScores:
    """Tokens of which nine in ten are right; what is lost, is lost in whole texts or token by token."""
    length = rng.integers(5, 65, n)
    places = np.arange(64) < length[:, None]
    labels = np.where(places, 0, _counts.IGNORED)
    right = rng.random((n, 64)) < rng.beta(9, 1, size=(n, 1))
    if how == "whole texts":
        after = right & (rng.random((n, 1)) < kept)
    else:
        after = right & (rng.random((n, 64)) < kept)
    return _counts.places((~right).astype(int), (~after).astype(int), labels).scores


def entities(how: str, rng: Any, n: int, kept: float) -> PairedScores:
    """Some three entities a text, of which the baseline finds four in five and makes up some; what is lost is not answered, so
    that F1 falls by less than the share that is lost.
    """
    labelled = rng.poisson(3, (n, 1))
    right = rng.binomial(labelled, 0.8)
    made = rng.poisson(0.4, (n, 1))
    t, r, m = 3.0, 2.4, 0.4
    f1 = 2 * r / (t + r + m)
    left = kept * f1 * (t + m) / (2 - kept * f1) / r  # of what is right: 2 x / (t + m + x) = kept f1
    after = right * (rng.random((n, 1)) < left) if how == "whole texts" else rng.binomial(right, left)
    return _counts.of_tables(labelled, (right + made, right), (after + made, after)).scores


LABELS = np.array([0.5, 0.3, 0.2, 0.2, 0.1])


def labelled(how: str, rng: Any, n: int, kept: float) -> PairedScores:
    """Five labels; the baseline finds nine in ten and gives few wrongly. It is lost on all alike, or on the rarest."""
    truth = rng.random((n, len(LABELS))) < LABELS
    found = truth & (rng.random(truth.shape) < 0.9)
    made = ~truth & (rng.random(truth.shape) < 0.02)
    left = kept_labels(how, kept)
    after = found & (rng.random(truth.shape) < left)
    counts = [each.astype(int) for each in (truth, found | made, found, after | made, after)]
    return _counts.of_tables(counts[0], (counts[1], counts[2]), (counts[3], counts[4])).scores


@cache
def kept_labels(how: str, kept: float) -> Any:
    """The share of right answers that is left, of each label."""
    given = 0.9 * LABELS + 0.02 * (1 - LABELS)

    def macro(left: Any) -> float:
        right = 0.9 * LABELS * left
        return float(np.mean(2 * right / (LABELS + given - 0.9 * LABELS + right)))

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        left = np.where(np.arange(5) == 4, middle, 1.0) if how == "the rarest label" else np.full(5, middle)
        low, high = (low, middle) if macro(left) > kept * macro(np.ones(5)) else (middle, high)
    return np.where(np.arange(5) == 4, high, 1.0) if how == "the rarest label" else np.full(5, high)
