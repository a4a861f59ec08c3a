"""What detectors find and show of drawn images, where a variant keeps exactly so much of every group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gatekeeper.evaluate.detection.by_class import Used, grouped
from gatekeeper.records.scores import KeptClass

OVERLAPS, MOST, FOUND, WRONG = 10, 12, 0.9, 0.3
"""Of ten boxes nine are found, and of boxes shown three in ten are wrong."""

HOW = ("boxes", "whole images", "half of images' boxes", "fit", "wrong boxes", "bursts of wrong boxes")


def groups(rng: Any, images: int, classes: int, how: str, lost: float) -> list[KeptClass]:
    """Groups where each keeps 1 - `lost` in expectation, and loses what it does box by box, image by image, or in fit, or shows
    so many more wrong boxes, one by one or ten at once.
    """
    count = rng.integers(0, 7, images)
    there = np.arange(MOST) < count[:, None]
    kind = np.where(rng.random((images, 1)) < 0.5, rng.integers(0, classes, (images, 1)), rng.integers(0, classes, there.shape))
    corner, sides = rng.uniform(0, 300, (2, images, MOST, 2))
    truth = np.concatenate([corner, corner + sides, kind[..., None], np.zeros((images, MOST, 1))], axis=2)
    truth[:, :, 4][~there] = -1
    level = np.where(there & (rng.random(there.shape) < FOUND), rng.integers(1, OVERLAPS + 1, there.shape), 0)
    after = level.copy()
    if how == "boxes":
        after[rng.random(there.shape) < lost] = 0
    elif how == "whole images":
        after[rng.random(images) < lost] = 0
    elif how == "half of images' boxes":
        after[(rng.random((images, 1)) < 2 * lost) & (np.arange(MOST) % 2 == rng.integers(0, 2, (images, 1)))] = 0
    elif how == "fit":  # each step of overlap is lost by itself
        after = rng.binomial(level, 1 - lost)
    own = [np.arange(OVERLAPS)[:, None, None] < each for each in (level, after)]
    rate = FOUND * WRONG / (1 - WRONG) * 3 / classes
    wrong = rng.poisson(rate, (images, classes + 1))
    wrong[:, -1] = 0
    more = np.zeros_like(wrong)
    shown = rate + FOUND * 3 / classes  # an image and class
    if how == "wrong boxes":
        more[:, :-1] = rng.poisson(lost * shown, (images, classes))
    elif how == "bursts of wrong boxes":
        more[:, :-1] = 10 * rng.poisson(lost * shown / 10, (images, classes))
    kinds = np.arange(classes)
    right = np.stack([(own[0][0] & (truth[:, :, 4] == c)).sum(axis=1) for c in kinds] + [np.zeros(images, int)], axis=1)
    before = Used(own[0], right + wrong, wrong)
    labelled = np.unique(truth[:, :, 4][there])
    columns = np.append(labelled.astype(int), classes)
    sides_of = [replace(each, shown=each.shown[:, columns], wrong=each.wrong[:, columns])
                for each in (before, Used(own[1], right + wrong + more, wrong + more))]  # fmt: skip
    found = grouped(sides_of, truth, there, labelled, {}, ())
    return [
        each for each in found if each.name != "images without a box"
    ]  # of which each keeps what its rate of wrong boxes says
