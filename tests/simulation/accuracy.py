"""Retention of accuracy at the exact limit, for answers that are right or wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import ndtri

from gatekeeper.gates.accuracy import LEAST_EXAMPLES
from gatekeeper.stats.binary import score_z
from gatekeeper.stats.looks import ALPHA
from simulation.rows import Row

RETENTION = 0.95
ANSWERS = {  # P(both right), P(only the baseline), P(only the variant), at a retention of exactly 95 %
    "baseline always right": (0.95, 0.05, 0.0),
    "baseline 90 % right, only losses": (0.855, 0.045, 0.0),
    "baseline 90 % right, 2 % gained": (0.835, 0.065, 0.02),
    "baseline 60 % right, 5 % gained": (0.52, 0.08, 0.05),
}
SIZES = (60, 100, 200, 500, 1000, 2000)


def accuracy_rows(runs: int) -> Iterator[Row]:
    critical, rng = float(ndtri(1 - ALPHA)), np.random.default_rng(7)
    for name, cells in ANSWERS.items():
        for n in SIZES:
            yield Row("accuracy", f"{name}; n = {n}", _accuracy(cells, n, 1, runs, critical, rng), runs)
    passed = _accuracy(ANSWERS["baseline 90 % right, 2 % gained"], 150, 4, runs, critical, rng)
    yield Row("accuracy", "near copies, four of every example; n = 600", passed, runs, "examples are independent")


def _accuracy(cells: tuple[float, float, float], n: int, copies: int, runs: int, critical: float, rng: Any) -> int:
    drawn = rng.multinomial(n, [*cells, 1 - sum(cells)], size=runs)
    tables, counts = np.unique(drawn, axis=0, return_counts=True)
    passed = 0
    for (both, only_q, only_p, neither), times in zip(copies * tables, counts, strict=True):
        p = np.repeat([1.0, 0.0, 1.0, 0.0], [both, only_q, only_p, neither])
        q = np.repeat([1.0, 1.0, 0.0, 0.0], [both, only_q, only_p, neither])
        passed += int(times) * (p.size >= LEAST_EXAMPLES and score_z(p, q, RETENTION) >= critical)
    return passed
