"""Bounds of scores that have no range: errors, shares of a variance, logarithms.

A loss of any size may hide in examples too rare to have been seen, so nothing can be shown without saying how large a loss is
feared. Here that is one which, at a limit of 95 %, breaks it when it falls on one example in two hundred: `UNSEEN` times the mean
score. (Of windows of text, which take long to read, one in a hundred.) Whatever was seen counts as it is, and more (`BEYOND`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.records.scores import PairedScores
from gatekeeper.stats.weighted import chance_of_none

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]

UNSEEN = 10.5
"""(1 / 0.95 - 1) / 0.005: the loss, in mean scores, that takes 95 % to lose when it is that of 0.5 % of the examples."""
UNSEEN_NATS = 5.2
"""-ln(0.95) / 0.01, and a little: the same for the mean of logarithms, of 1 % of the windows."""
UNSEEN_GAIN = 1.0
"""A variant may be found worse than its limit by fewer examples: one not seen gains at most the mean score, or one nat."""
FARTHEST_LOG = 60.0


def ratio_above(scores: PairedScores, t: float, alpha: float, times: float = 1.0) -> bool:
    """Whether H0: E[p - t*q] <= 0 is rejected."""
    return chance_of_none(scores.p - t * scores.q, -t * _unseen(scores), times) <= alpha


def ratio_below(scores: PairedScores, t: float, alpha: float) -> bool:
    """Whether H0: E[p - t*q] >= 0 is rejected."""
    return chance_of_none(t * scores.q - scores.p, -UNSEEN_GAIN * t * float(scores.q.mean()), 1.0) <= alpha


def log_above(scores: PairedScores, u: float, alpha: float, times: float = 1.0) -> bool:
    """Whether H0: E[p - q] <= u is rejected."""
    unseen = UNSEEN_NATS if scores.unseen is None else scores.unseen
    return chance_of_none(scores.p - scores.q - u, -unseen, times) <= alpha


def log_below(scores: PairedScores, u: float, alpha: float) -> bool:
    """Whether H0: E[p - q] >= u is rejected."""
    return chance_of_none(u - scores.p + scores.q, -UNSEEN_GAIN, 1.0) <= alpha


def _unseen(scores: PairedScores) -> float:
    """The largest loss feared of an example that was not seen; of squares, twice that of what they are the squares of."""
    return UNSEEN / scores.power * float(scores.q.mean()) if scores.unseen is None else scores.unseen
