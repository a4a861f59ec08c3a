"""Mean average precision as scores that pair by image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import Pair
from gatekeeper.records.scores import PairedScores

if TYPE_CHECKING:
    from gatekeeper.evaluate.detection.average_precision import Matches

ALONE = 0.5
"""Of a class that one image has, leaving that out leaves nothing to learn its spread from: it is taken for as wide as may be."""
SPLITS = 3
"""How often images are split into halves."""
SHARES, PIXELS = 1.5, 4.0
"""Boxes found up to the first, where true ones go beyond the second, are shares of the sides and not pixels."""


def compare(baseline: Any, variant: Any, labels: Any, overlaps: Sequence[float]) -> Pair:
    """COCO's mean average precision of both, image by image."""
    from gatekeeper.evaluate.detection.matching import matches

    _same_unit(baseline, labels)
    return paired(*(matches(found, labels, overlaps) for found in (baseline, variant)))


def paired(baseline: Matches, variant: Matches) -> Pair:
    """What an image adds to the value is its score, so that the mean of scores is the value; of the variant's, less what few
    images flatter it by.

    One image that was not seen may cost as much as the one that weighs most among those seen, lost whole.
    """
    from gatekeeper.evaluate.detection.average_precision import precision

    before, after = (precision(each) for each in (baseline, variant))
    objects = baseline.objects
    weights = (objects * before.mean(axis=0) / objects.sum(axis=0)).sum(axis=1)
    unseen = len(objects) / objects.shape[1] * float(weights.max())
    p, q = float(after.mean()) + _added(variant), float(before.mean()) + _added(baseline)
    p -= float(before.mean()) * _flattered(baseline, variant)
    scores = PairedScores("real", p=p, q=q, examples=len(objects), unseen=unseen)
    return Pair(float(before.mean()), float(after.mean()), scores)


def _added(matches: Matches) -> Any:
    """What each image adds, [images]. Of a class in few images the spread is that of as many less one."""
    import numpy as np

    from gatekeeper.evaluate.detection.average_precision import added

    objects = matches.objects
    few = objects.sum(axis=0) ** 2 / (objects**2).sum(axis=0)
    wider = np.sqrt(few / np.maximum(few - 1, ALONE))
    return len(objects) / objects.shape[1] * (added(matches) * wider).sum(axis=1)


def _flattered(baseline: Matches, variant: Matches) -> float:
    """By how much few images make a variant look better than it is: the best precision at or after a rank is that of chance as
    well, and more so of a model that errs more. Half as many images flatter more, so that halves tell by how much. (In simulation
    it falls with the images to the power of 0.7; it is taken to fall with their root.)
    """
    import numpy as np

    from gatekeeper.evaluate.detection.average_precision import area

    before, after = area(baseline), area(variant)
    if not before > 0:
        return 0.0
    generator = np.random.default_rng(0)
    images = len(baseline.objects)
    halves = []
    for _ in range(SPLITS):
        first = np.zeros(images, bool)
        first[generator.permutation(images)[: images // 2]] = True
        halves += [[area(of.among(own)) for of in (variant, baseline)] for own in (first, ~first)]
    ours, theirs = np.mean(halves, axis=0)
    more = float(ours / theirs) - after / before if theirs > 0 else 0.0
    return max(0.0, more) / (math.sqrt(2) - 1)


def _same_unit(found: Any, truth: Any) -> None:
    """`NotMeasured` where boxes are found in shares of the sides, and the true ones are pixels."""
    farthest, true = float(found[:, :, :4].max(initial=0)), float(truth[:, :, :4].max(initial=0))
    if 0 < farthest <= SHARES and true > PIXELS:
        raise NotMeasured(
            "model",
            f"the boxes found go up to {farthest:.3g}, the true ones to {true:.0f}: they are shares of the image's sides. Say "
            "`model: {boxes: {scale: shares}}`.",
        )
