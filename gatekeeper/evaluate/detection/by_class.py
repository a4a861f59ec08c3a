"""What is found class by class, where a detector is used: at the score from on which the baseline is most often right."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.detection.average_precision import Matches
from gatekeeper.evaluate.detection.matching import matches
from gatekeeper.evaluate.groups import kept_class
from gatekeeper.records.scores import KeptClass

HALF = 0.5
"""Overlap from which on a box is right, and what F1 an image must reach to be found."""


def kept_boxes(baseline: Any, variant: Any, truth: Any) -> list[KeptClass]:
    """Of each class the images that have it, and in how many each model finds it: with boxes above the score that is best for
    the baseline, at an F1 of at least a half. Scores that have all become smaller are lost as well, as nobody sees those boxes.
    """
    before, after = (matches(found, truth, (HALF,)) for found in (baseline, variant))
    kinds = _kinds(truth)
    found = []
    for c, kind in enumerate(kinds):
        has = before.objects[:, c] > 0
        least = _working_score(before, c)
        b, v = (_found(each, c, least)[has] for each in (before, after))
        found.append(kept_class(f"class {kind}", b, v))
    return sorted(found, key=lambda each: -each.examples)


def _kinds(truth: Any) -> list[int]:
    import numpy as np

    from gatekeeper.evaluate.detection.form import CROWD, TRUE_CLASS

    counted = (truth[:, :, TRUE_CLASS] >= 0) & (truth[:, :, CROWD] == 0)
    return [int(kind) for kind in np.unique(truth[:, :, TRUE_CLASS][counted])]


def _working_score(of: Matches, c: int) -> float:
    """The score from which on F1 is largest."""
    import numpy as np

    own = (of.kind == c) & of.counts[0]
    scores, right = of.score[own], of.right[0][own]
    if not right.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    f1 = 2 * right[order].cumsum() / (np.arange(1, len(order) + 1) + of.objects[:, c].sum())
    return float(scores[order][int(f1.argmax())])


def _found(of: Matches, c: int, least: float) -> Any:
    """Images whose boxes of a class, from that score on, have an F1 of at least a half."""
    import numpy as np

    own = (of.kind == c) & of.counts[0] & (of.score >= least)
    images = len(of.objects)
    right = np.bincount(of.image[own], weights=of.right[0][own], minlength=images)
    given = np.bincount(of.image[own], minlength=images)
    return 2 * right >= HALF * np.maximum(given + of.objects[:, c], 1)
