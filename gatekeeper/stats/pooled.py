"""A mean over classes of F1 or IoU that is kept, where an example is a whole sentence or image and counts are added up over all.

Tokens of a sentence and pixels of an image belong together, so it is examples that are drawn. As in gatekeeper/stats/f1.py each
gets a random weight, and so does one more: the costliest example there is, of which the variant loses all that the baseline gets
right and answers what it mostly answers. The bound is a quantile of the ratio itself, so no formula of its spread is needed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gatekeeper.records.base import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatekeeper.records.scores import Counts

    Array = NDArray[np.float64]

DRAWS = 4000
PIECE = 1 << 22  # numbers drawn at once
TRIED = 16
"""Examples that may be the costliest, by how the mean changes with each of them, which are then tried."""


def retention(counts: Counts, alpha: float) -> Interval:
    """Observed ratio of the variant's mean to the baseline's, with one-sided bounds at level `alpha`."""
    import numpy as np

    base, kept = values(counts)
    if not base > 0:
        return Interval(observed=math.nan, lower=-math.inf, upper=math.inf)
    lower = float(np.quantile(_ratios(counts, 1.0), alpha))
    upper = math.inf
    if kept > 0:
        other = float(np.quantile(_ratios(_swapped(counts), 1.0), alpha))
        upper = 1 / other if other > 0 else math.inf
    observed = kept / base
    return Interval(observed=observed, lower=min(lower, observed), upper=max(upper, observed))


def shows(counts: Counts, limit: float, alpha: float, times: float) -> bool:
    """Whether the lower bound clears the limit, with `times` as many examples of the same kinds."""
    import numpy as np

    base, kept = values(counts)
    return base > 0 and kept / base >= limit and float(np.quantile(_ratios(counts, times), alpha)) >= limit


def values(counts: Counts) -> tuple[float, float]:
    """The mean of the baseline and of the variant."""
    whole = counts.table.sum(axis=1)[:, None]
    base, kept = (float(_mean(whole, side, counts.union, _known(whole, side))[0]) for side in SIDES)
    return base, kept


def least(counts: Counts, alpha: float) -> float:
    """Lower bound of the baseline's own mean."""
    import numpy as np

    whole = counts.table.sum(axis=1)[:, None]
    drawn = _drawn(counts, 1.0)
    known = _known(whole, SIDES[0])
    return float(np.quantile(_mean(drawn, SIDES[0], counts.union, known), alpha))


SIDES = (slice(1, 3), slice(3, 5))
"""Rows of a table that are the baseline's and the variant's."""


@lru_cache(maxsize=4)
def _swapped(counts: Counts) -> Counts:
    return replace(counts, table=counts.table[[0, 3, 4, 1, 2]])


def _mean(sums: Array, side: slice, union: bool, known: Any) -> Array:
    """The mean over the known classes of one side of a table, [5, rows, classes] -> [rows]; a class that is nowhere in
    a row counts nothing.
    """
    import numpy as np

    given, right = sums[side]
    places = (sums[0] + given)[:, known]
    hit = right[:, known]
    share = hit / np.maximum(places - hit, 1e-300) if union else 2 * hit / np.maximum(places, 1e-300)
    there = places > 0
    found: Array = np.where(there, share, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return found


def _known(whole: Array, side: slice) -> Any:
    """Classes that are labelled or answered, as scikit-learn and torchmetrics have it."""
    known = (whole[0] + whole[side][0])[0] > 0
    return known.nonzero()[0]


@lru_cache(maxsize=8)
def _ratios(counts: Counts, times: float) -> Array:
    """Ratios of the variant's mean to the baseline's, one for each weighting, with one more example that the variant loses.

    Each the lesser of two: over the classes that the metric has, which may be others for either model, and over those labelled.
    """
    import numpy as np

    whole = counts.table.sum(axis=1)[:, None]
    drawn = _drawn(counts, times)
    weight = np.random.default_rng(1).exponential(size=(drawn.shape[1], 1))
    drawn = drawn + weight[None] * _worst(counts)[:, None]
    base, kept = (_mean(drawn, side, counts.union, _known(whole, side)) for side in SIDES)
    ratios = kept / np.maximum(base, 1e-300)
    labelled = (whole[0][0] > 0).nonzero()[0]
    if labelled.size:
        base, kept = (_mean(drawn, side, counts.union, labelled) for side in SIDES)
        ratios = np.minimum(ratios, kept / np.maximum(base, 1e-300))
    return ratios


def _drawn(counts: Counts, times: float) -> Array:
    """Sums over the examples with random weights, [5, draws, classes]: an exponential for every example."""
    import numpy as np

    rows, examples, classes = counts.table.shape
    flat = counts.table.transpose(1, 0, 2).reshape(examples, rows * classes).astype(float)
    step = max(1, PIECE // examples)
    parts = [_weights(start, min(step, DRAWS - start), examples, times) @ flat for start in range(0, DRAWS, step)]
    found: Array = np.concatenate(parts).reshape(DRAWS, rows, classes).transpose(1, 0, 2)
    return found


@lru_cache(maxsize=1)
def _weights(start: int, draws: int, examples: int, times: float) -> Array:
    """Random weights, [draws, examples], the same whoever asks: sets of one size share them."""
    import numpy as np

    generator = np.random.default_rng(start)
    size = (draws, examples)
    return generator.exponential(size=size) if times == 1 else generator.gamma(times, size=size)


def _worst(counts: Counts) -> Array:
    """An example as one that was seen, [5, classes], of which the variant loses what costs most."""
    import numpy as np

    table = counts.table.astype(float)
    whole = table.sum(axis=1)
    labelled, given, right = whole[0], whole[3], whole[4]
    places = np.maximum(labelled + given - (right if counts.union else 0), 1e-300)
    cost = table[2] @ (1 / places)  # how much the mean falls with each right answer of the baseline's that is lost
    mostly = int(np.argmax(given))
    candidates = [_lost(table[:, i], mostly) for i in np.argsort(-cost, kind="stable")[:TRIED]]
    after = np.stack([whole + each for each in candidates], axis=1)
    base, kept = (_mean(after, side, counts.union, _known(whole[:, None], side)) for side in SIDES)
    return candidates[int(np.argmin(kept / np.maximum(base, 1e-300)))]


def _lost(example: Array, mostly: int) -> Array:
    """The example with every answer of the variant wrong, where the baseline is right: what it mostly answers; and what that is
    the right answer to, is answered with nothing.
    """
    import numpy as np

    lost = example.copy()
    lost[4] = 0
    lost[3] = np.maximum(example[1] - example[2], 0)  # what the baseline answers wrongly it may, too
    lost[3, mostly] += example[2].sum() - example[2][mostly]
    return lost
