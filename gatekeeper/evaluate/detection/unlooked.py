"""Whether boxes have to do with the images they are found in: a function that makes them up may say the same of any model."""

from __future__ import annotations

from typing import Any

DRAWS, APART, MOST_IMAGES = 19, 2, 1000


def unlooked(found: Any, labels: Any) -> str | None:
    """Why boxes that the user's decode finds for the baseline say nothing; None where they fit their images better than others.

    They are held against the true boxes of images in other orders, at an overlap of a half, and fit better where they are above
    all of those by twice what these are apart. Without labels the baseline's own boxes are the true ones.
    """
    import numpy as np

    from gatekeeper.evaluate.detection.average_precision import area
    from gatekeeper.evaluate.detection.by_class import HALF
    from gatekeeper.evaluate.detection.matching import matches
    from gatekeeper.evaluate.tasks.object_detection import sure

    labels = sure(found) if labels is None else labels
    generator = np.random.default_rng(0)
    if len(labels) > MOST_IMAGES:
        some = np.sort(generator.choice(len(labels), MOST_IMAGES, replace=False))
        found, labels = found[some], labels[some]

    def fits(true: Any) -> float:
        return area(matches(found, true, (HALF,)))

    own = fits(labels)
    others = [fits(labels[generator.permutation(len(labels))]) for _ in range(DRAWS)]
    if own > max(others) + APART * (max(others) - min(others)):
        return None
    return (
        f"the boxes that `decode` finds for the baseline fit the images no better than other images (average precision at an "
        f"overlap of 50 %: {own:.3g}, and up to {max(others):.3g}). Correct `decode`, or the labels."
    )
