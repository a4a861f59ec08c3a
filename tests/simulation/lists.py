"""Detectors, transcripts, rankings and neighbours: what their scores are at exactly so much that is kept.

What is lost is lost on some images, texts, queries or things whole, or a little everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gatekeeper.evaluate.detection.average_precision import Matches, precision
from gatekeeper.evaluate.metrics import _boxes, _edits, _neighbours
from gatekeeper.records.scores import PairedScores

OVERLAPS = 10
WORLDS = {"3 classes": (3, 0.0, 3), "20 classes": (20, 0.0, 3), "80 classes, some rare": (80, 1.0, 7)}
"""How many classes, how unequally common they are (Zipf's exponent), and objects of an image."""


def detectors(kind: str, how: str, lost: float, rng: Any, n: int) -> tuple[Matches, Matches]:
    """Boxes of a baseline and a variant: nine of ten objects found, at some overlap, and two wrong boxes an image."""
    classes, unequal, each = WORLDS[kind]
    common = 1 / np.arange(1, classes + 1) ** unequal
    common /= common.sum()
    count = 1 + rng.poisson(each - 1, n)
    image = np.repeat(np.arange(n), count)
    of = rng.choice(classes, size=len(image), p=common)
    objects = np.zeros((n, classes))
    np.add.at(objects, (image, of), 1)
    there = objects.sum(axis=0) > 0
    found = rng.random(len(image)) < 0.9
    score, level = rng.beta(4, 2, len(image)), np.clip(rng.normal(7, 2.5, len(image)).round(), 1, OVERLAPS)
    wrong = np.repeat(np.arange(n), rng.poisson(2, n))
    still, after = found.copy(), level.copy()
    more = np.zeros(0, int)
    if how == "objects":
        still &= rng.random(len(image)) >= lost
    elif how == "whole images":
        still &= (rng.random(n) >= lost)[image]
    elif how == "crowded images":
        still &= ~((count >= np.quantile(count, 0.97)) & (rng.random(n) < lost))[image]
    elif how == "one class":
        still &= (of != classes - 1) | (rng.random(len(image)) >= lost)
    elif how == "worse boxes":
        after = np.clip((level - rng.normal(lost, 1.5, len(image))).round(), 0, OVERLAPS)
    elif how == "added boxes":
        more = np.repeat(np.arange(n), rng.poisson(lost, n))
    of_wrong, of_more = (rng.choice(classes, size=len(each), p=common) for each in (wrong, more))
    low, high = rng.beta(2, 4, len(wrong)), rng.beta(4, 2, len(more))

    def model(kept: Any, levels: Any, extra: bool) -> Matches:
        parts = [(image[kept], of[kept], score[kept], levels[kept]), (wrong, of_wrong, low, np.zeros(len(wrong)))]
        if extra:
            parts.append((more, of_more, high, np.zeros(len(more))))
        images, kinds, scores, reached = (np.concatenate(each) for each in zip(*parts, strict=True))
        right = np.arange(OVERLAPS)[:, None] < reached
        known = there[kinds]
        numbers = np.cumsum(there)[kinds[known]] - 1
        right = right[:, known]
        return Matches(images[known], numbers, scores[known], right, np.ones_like(right), objects[:, there])

    return model(found, level, False), model(still, after, True)


LOST = {
    ("80 classes, some rare", "worse boxes", 0.95): 0.0324,
    ("80 classes, some rare", "added boxes", 0.95): 0.3628,
    ("80 classes, some rare", "objects", 0.95): 0.0488,
    ("80 classes, some rare", "objects", 0.99): 0.0101,
    ("80 classes, some rare", "whole images", 0.95): 0.0479,
    ("80 classes, some rare", "crowded images", 0.95): 0.6232,
    ("20 classes", "worse boxes", 0.95): 0.0291,
    ("20 classes", "added boxes", 0.95): 0.1602,
    ("20 classes", "objects", 0.95): 0.0476,
    ("20 classes", "objects", 0.99): 0.0093,
    ("20 classes", "whole images", 0.95): 0.0475,
    ("20 classes", "crowded images", 0.95): 0.419,
    ("20 classes", "one class", 0.95): 0.999,
    ("3 classes", "worse boxes", 0.95): 0.0354,
    ("3 classes", "added boxes", 0.95): 0.1584,
    ("3 classes", "objects", 0.95): 0.0478,
    ("3 classes", "objects", 0.99): 0.0098,
    ("3 classes", "whole images", 0.95): 0.0471,
    ("3 classes", "crowded images", 0.95): 0.4191,
    ("3 classes", "one class", 0.95): 0.1416,
}
"""How much must be lost for so much to be kept, found once of 150,000 images: what few images say is not what is true."""


def truly_kept(kind: str, how: str, kept: float, images: int) -> float:
    """What is kept of many images."""
    before, after = detectors(kind, how, LOST[kind, how, kept], np.random.default_rng(1), images)
    return float(precision(after).mean() / precision(before).mean())


def detected(kind: str, how: str, rng: Any, n: int, kept: float) -> PairedScores:
    return _boxes.paired(*detectors(kind, how, LOST[kind, how, kept], rng, n)).scores


def transcribed(how: str, rng: Any, n: int, kept: float) -> PairedScores:
    """Texts of 5 to some 60 letters, one in ten of which is wrong. The loss falls on a share of the texts, of which nothing is
    left, or as much again is made up; or on letters everywhere.
    """
    lengths = 5 + rng.poisson(rng.gamma(2, 6, n))
    before = rng.binomial(lengths, 0.1)
    lost = (1 - kept) * 0.9
    if how == "letters":
        after = before + rng.binomial(lengths - before, lost / 0.9)
    else:
        worst = 2.0 if how == "texts made up" else 1.0
        after = np.where(rng.random(n) < lost / (worst - 0.1), worst * lengths, before)
    return _edits.paired(lengths.astype(float), before.astype(float), after.astype(float)).scores


def neighbours(how: str, rng: Any, n: int, kept: float) -> PairedScores:
    """n things of some five queries each, nine of ten found; lost is a share of the things, or of the queries."""
    things = np.repeat(np.arange(n), 1 + rng.poisson(4, n))
    before = rng.random(len(things)) < 0.9
    gone = (rng.random(n) >= kept)[things] if how == "whole things" else rng.random(len(things)) >= kept
    return _neighbours.paired(things, before, before & ~gone).scores
