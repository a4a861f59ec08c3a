"""Pairs of classifiers whose expected calibration error differs by exactly so much, as the bins of a population have it.

Confidences take a few values, of which each bin holds one at most, with a known share that is right: so the error of the
population is a plain sum, and no second sample estimates it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gatekeeper.stats.calibration import at_most, calibrated
from gatekeeper.stats.looks import ALPHA
from simulation.rows import Row

LIMIT, BINS = 0.02, 15
LEVELS = (np.arange(4, 15) + 0.45) / BINS
"""In the middle of their bins: 0.02 more stays inside."""
Arm = tuple[Any, Any]
Make = Callable[[Any, int], tuple[Arm, Arm]]


def one_bin(rng: Any, n: int) -> tuple[Arm, Arm]:
    """The baseline is sure at 92 % and as often right; the variant is surer, with the same answers."""
    right = (rng.random(n) < 0.92) * 1.0
    return (np.full(n, 0.92), right), (np.full(n, 0.92 + LIMIT), right)


def many_bins(rng: Any, n: int) -> tuple[Arm, Arm]:
    """The same in every bin, so that chance alone gives the baseline an error in each: a plain difference is far too small."""
    sure = rng.choice(LEVELS, n)
    right = (rng.random(n) < sure) * 1.0
    return (sure, right), (sure + LIMIT, right)


def other_answers(rng: Any, n: int) -> tuple[Arm, Arm]:
    """The same with answers that have nothing in common."""
    sure = rng.choice(LEVELS, n)
    before, after = ((rng.random(n) < sure) * 1.0 for _ in range(2))
    return (sure, before), (sure + LIMIT, after)


def rare(rng: Any, n: int) -> tuple[Arm, Arm]:
    """Two examples in a hundred are lost, and the variant is as sure of them as ever."""
    sure = np.ones(n)
    return (sure, np.ones(n)), (sure, (rng.random(n) >= LIMIT) * 1.0)


def other_side(rng: Any, n: int) -> tuple[Arm, Arm]:
    """The baseline is too little sure by five points, the variant too sure by seven."""
    right = (rng.random(n) < 0.8) * 1.0
    return (np.full(n, 0.75), right), (np.full(n, 0.87), right)


CASES: dict[str, Make] = {
    "one bin": one_bin, "every bin": many_bins, "every bin, other answers": other_answers, "a rare loss": rare,
    "from one side to the other": other_side,
}  # fmt: skip
SIZES = (100, 200, 500, 2000)


def calibration_rows(runs: int, sizes: tuple[int, ...] = SIZES) -> Iterator[Row]:
    """How often a variant passes whose error grows by exactly the limit."""
    for name, make in CASES.items():
        for n in sizes:
            rng = np.random.default_rng(n)
            passed = sum(at_most(calibrated(*make(rng, n), BINS), LIMIT, ALPHA) for _ in range(runs))
            yield Row("calibration_error", f"{name}; n = {n}", passed, runs)
