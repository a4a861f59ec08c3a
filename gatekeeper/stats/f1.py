"""Macro F1 that is kept, by how often each class was given for each class.

A rare class weighs as much as a common one and has few examples, so one answer more or less may move the whole. As in
gatekeeper/stats/weighted.py every example gets a random weight, and so does one more: that answer of the variant, wrong where
the baseline is right, that would cost most. The bound is a quantile of the ratio itself, so no formula of its spread is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gatekeeper.records.base import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatekeeper.records.scores import PairedScores

    Array = NDArray[np.float64]

DRAWS = 4000
PIECE = 1 << 22  # numbers drawn at once


@dataclass(frozen=True)
class Counted:
    """Which answers there are, and how many distinct examples have them in which shares.

    `cells` [cells, 3] are truth, variant's and baseline's class, numbered from 0 to `width`; `shares` [kinds, cells] says what
    a kind of example is made of (more than one cell where its copies differ in their labels), `counts` [kinds] how often it is
    there.
    """

    cells: Any
    shares: Any
    counts: Any
    width: int


def retention(scores: PairedScores, alpha: float) -> Interval:
    """Observed ratio of the variant's macro F1 to the baseline's, with one-sided bounds at level `alpha`."""
    counted = count(scores)
    kept, base = _whole(counted)
    if not base > 0:
        return Interval(observed=math.nan, lower=-math.inf, upper=math.inf)
    lower = _lower(counted, alpha, 1.0)
    swapped = replace(counted, cells=counted.cells[:, [0, 2, 1]])
    other = _lower(swapped, alpha, 1.0) if kept > 0 else 0.0
    upper = max(1 / other, kept / base) if other > 0 else math.inf
    return Interval(observed=kept / base, lower=min(lower, kept / base), upper=upper)


def shows(scores: PairedScores, limit: float, alpha: float, times: float) -> bool:
    """Whether the lower bound clears the limit, with `times` as many examples of the same kinds."""
    counted = count(scores)
    kept, base = _whole(counted)
    return base > 0 and kept / base >= limit and _lower(counted, alpha, times) >= limit


def _whole(counted: Counted) -> tuple[float, float]:
    """Macro F1 of the variant and of the baseline."""
    whole = (counted.counts @ counted.shares)[None]
    return float(macro(whole, counted, 1)[0]), float(macro(whole, counted, 2)[0])


def least(scores: PairedScores, alpha: float) -> float:
    """Lower bound of the baseline's own macro F1."""
    import numpy as np

    counted = count(scores)
    return float(np.quantile(np.concatenate([macro(drawn, counted, 2) for drawn in _draws(counted, 1.0)]), alpha))


def count(scores: PairedScores) -> Counted:
    """The answers of scores of the kind `classes`."""
    import numpy as np
    from scipy.sparse import csr_matrix, identity, vstack

    names, codes = np.unique(np.stack([scores.truth, scores.p, scores.q]), return_inverse=True)
    cells, cell = np.unique(codes.reshape(3, -1).T, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    unit = np.arange(len(cell)) if scores.unit is None else np.unique(scores.unit, return_inverse=True)[1].reshape(-1)
    copies = np.bincount(unit)
    made = csr_matrix((1 / copies[unit], (unit, cell)), shape=(len(copies), len(cells)))
    pure = np.asarray(made.max(axis=1).todense() > 1 - 1e-9).reshape(-1)
    counts = np.asarray(made[pure].sum(axis=0)).reshape(-1)
    there = np.flatnonzero(counts > 0)
    shares = vstack([identity(len(cells), format="csr")[there], made[~pure]]).tocsr()
    return Counted(cells, shares, np.concatenate([counts[there], np.ones(int((~pure).sum()))]), len(names))


def macro(weights: Array, counted: Counted, side: int) -> Array:
    """Macro F1 of each row of weights [rows, cells], of the answers in that column of the cells; over the classes that are
    labels or answers, as scikit-learn has it.
    """
    import numpy as np

    truth, answer = counted.cells[:, 0], counted.cells[:, side]
    named, given = (_columns(codes, counted.width) for codes in (truth, answer))
    right = (weights * (truth == answer)) @ named
    either = weights @ named + weights @ given
    known = np.union1d(truth, answer)
    values: Array = np.asarray(2 * right[:, known] / np.maximum(either[:, known], 1e-300)).mean(axis=1)
    return values


def _columns(codes: Any, width: int) -> Any:
    import numpy as np
    from scipy.sparse import csr_matrix

    return csr_matrix((np.ones(len(codes)), (np.arange(len(codes)), codes)), shape=(len(codes), width))


def _lower(counted: Counted, alpha: float, times: float) -> float:
    """Lower bound of the ratio of side 1 to side 2, one answer that was not seen added."""
    import numpy as np

    if counted.width < 2:  # of one class alone there is no wrong answer
        return 0.0
    worst = _worst(counted)
    added = replace(counted, cells=np.vstack([counted.cells, worst]))
    generator = np.random.default_rng(1)
    ratios = []
    for drawn in _draws(counted, times):
        whole = np.column_stack([drawn, generator.exponential(size=len(drawn))])
        ratios.append(macro(whole, added, 1) / np.maximum(macro(whole, added, 2), 1e-300))
    return float(np.quantile(np.concatenate(ratios), alpha))


def _draws(counted: Counted, times: float) -> Any:
    """Random weights of the cells, [some, cells] at a time: an exponential for every distinct example."""
    import numpy as np

    generator = np.random.default_rng(0)
    step = max(1, PIECE // len(counted.counts))
    for start in range(0, DRAWS, step):
        rows = min(step, DRAWS - start)
        yield generator.gamma(times * counted.counts, size=(rows, len(counted.counts))) @ counted.shares


def _worst(counted: Counted) -> tuple[int, int, int]:
    """Truth, variant's and baseline's class of the answer that would cost most: of one class that is lost and another that is
    wrongly given. A class costs by how well it is found and how few examples it has, F1 / (2 TP + FP + FN); or by what it would
    bring the baseline, where no example of it is there that could be found.
    """
    import numpy as np

    whole = (counted.counts @ counted.shares)[None]
    lost, given = _sensitivity(whole, counted, 1), _sensitivity(whole, counted, 2)
    cost = lost[0] + given[1]
    order = np.argsort(-cost, kind="stable")[:2]
    others = np.argsort(-lost[0], kind="stable")[:3]
    pairs = [(c, o) for c in order for o in others if c != o]
    c, o = max(pairs, key=lambda pair: cost[pair[0]] + lost[0][pair[1]])
    return int(c), int(o), int(c)


def _sensitivity(whole: Array, counted: Counted, side: int) -> tuple[Array, Array]:
    """How much macro F1, as a share of itself, falls for a wrong answer of each class, and rises for a right one."""
    import numpy as np

    truth, answer = counted.cells[:, 0], counted.cells[:, side]
    named, given = (_columns(codes, counted.width) for codes in (truth, answer))
    either = np.asarray(whole @ named + whole @ given)[0]
    found = np.asarray((whole * (truth == answer)) @ named)[0] * 2 / np.maximum(either, 1e-300)
    known = np.union1d(truth, answer)
    whole_f1 = float(found[known].sum())
    if not whole_f1 > 0:
        return np.zeros(counted.width), np.zeros(counted.width)
    scale = np.where(either > 0, either, math.inf) * whole_f1
    return found / scale, 2 * (1 - found) / scale
