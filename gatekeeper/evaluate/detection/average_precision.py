"""Average precision of found boxes, and what each image adds to it.

Mean average precision is no mean over images: a box found wrongly in one takes precision from others. What an image adds is how
the whole changes with that image's weight (the infinitesimal jackknife: B. Efron, "The jackknife, the bootstrap and other
resampling plans", 1982), which is known in closed form: of ranks j, true boxes N, and the precision P(m) that rank j is given,
the best at or after it, AP = sum of tp(j) P(m(j)) / N. COCO reads that curve at 101 recalls, and so does the value that is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RECALLS = 101


@dataclass(frozen=True)
class Matches:
    """Found boxes held against true ones: the image, class and score of each [boxes], whether it is right at each overlap, and
    whether it counts there at all (not on a crowd) [overlaps, boxes], how many true boxes each image has of each class
    [images, classes], and which of its image's true ones each takes, -1 where none [overlaps, boxes].
    """

    image: Any
    kind: Any
    score: Any
    right: Any
    counts: Any
    objects: Any
    took: Any = None

    def among(self, images: Any) -> Matches:
        """Those of some of the images, [images] of yes or no, and of the classes that these have."""
        import numpy as np

        objects = self.objects[images]
        there = objects.sum(axis=0) > 0
        own = images[self.image] & there[self.kind]
        number, kind = np.cumsum(images) - 1, np.cumsum(there) - 1
        of_boxes = number[self.image[own]], kind[self.kind[own]], self.score[own]
        return Matches(*of_boxes, self.right[:, own], self.counts[:, own], objects[:, there])


def precision(matches: Matches) -> Array:
    """COCO's average precision [overlaps, classes]: the mean of the best precision at or after each of 101 recalls."""
    import numpy as np

    recalls = np.linspace(0, 1, RECALLS)
    values = np.zeros((len(matches.right), matches.objects.shape[1]))
    for c, own in _classes(matches):
        objects = float(matches.objects[:, c].sum())
        found = matches.right[:, own].cumsum(axis=1)
        _, given = _best(found / (matches.counts[:, own].cumsum(axis=1) + np.spacing(1)))
        for t, recall in enumerate(found / objects):
            place = np.searchsorted(recall, recalls, side="left")
            values[t, c] = given[t][place[place < len(recall)]].sum() / RECALLS
    return values


def area(matches: Matches) -> float:
    """The mean over classes and overlaps where every rank is read, and not 101 recalls: which takes a fraction of the time."""
    import numpy as np

    values = np.zeros(matches.objects.shape[1])
    for c, own in _classes(matches):
        right = matches.right[:, own]
        _, given = _best(right.cumsum(axis=1) / np.maximum(matches.counts[:, own].cumsum(axis=1), 1))
        values[c] = (right * given).sum() / (len(right) * float(matches.objects[:, c].sum()))
    return float(values.mean())


def added(matches: Matches) -> Array:
    """What each image adds to each class's average precision over the overlaps, [images, classes], in units of an image's weight.

    It sums up to nothing, as a ratio does not change where all weigh twice as much.
    """
    import numpy as np

    objects = matches.objects.astype(float)
    values = np.zeros(objects.shape)
    for c, own in _classes(matches):
        value, of_boxes = _one_class(matches.right[:, own], matches.counts[:, own], float(objects[:, c].sum()))
        values[:, c] = np.bincount(matches.image[own], weights=of_boxes, minlength=len(objects))
        values[:, c] -= objects[:, c] * value / objects[:, c].sum()
    return values


def _classes(matches: Matches) -> Iterator[tuple[int, Any]]:
    """Each class of which boxes were found, and those, the surest first."""
    import numpy as np

    order = np.lexsort((-matches.score, matches.kind))
    ends = np.searchsorted(matches.kind[order], np.arange(matches.objects.shape[1] + 1))
    for c, (start, end) in enumerate(pairwise(ends)):
        if start < end:
            yield c, order[start:end]


def _best(at_rank: Array) -> tuple[Any, Array]:
    """The rank at or after each with the best precision, and that precision."""
    import numpy as np

    count = at_rank.shape[1]
    backwards = at_rank[:, ::-1]
    best = np.maximum.accumulate(backwards, axis=1)
    before = np.concatenate([np.full((len(best), 1), -1.0), best[:, :-1]], axis=1)
    where = np.maximum.accumulate(np.where(backwards > before, np.arange(count), 0), axis=1)
    return (count - 1 - where)[:, ::-1], best[:, ::-1]


def _one_class(right: Any, counts: Any, objects: float) -> tuple[float, Array]:
    """Of boxes in the order of their scores, right at each overlap or not [overlaps, boxes]: the average precision, and by how
    much it grows with each box's weight.
    """
    import numpy as np

    count = right.shape[1]
    right, counts = right.astype(float), counts.astype(float)
    ranks = np.maximum(counts.cumsum(axis=1), 1)
    at_rank = right.cumsum(axis=1) / ranks
    taken, given = _best(at_rank)
    mass = np.stack([np.bincount(t, weights=r, minlength=count) for t, r in zip(taken, right, strict=True)]) / objects
    of_right = (mass / ranks)[:, ::-1].cumsum(axis=1)[:, ::-1]
    of_any = (mass * at_rank / ranks)[:, ::-1].cumsum(axis=1)[:, ::-1]
    grows = right * (given / objects + of_right) - counts * of_any
    return float((right * given).sum(axis=1).mean() / objects), grows.mean(axis=0)
