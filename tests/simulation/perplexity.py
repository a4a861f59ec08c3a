"""Retention of perplexity at the exact limit: mean differences of windows, which may lean and vary as texts do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gatekeeper.records.scores import PairedScores
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import shows
from simulation.rows import Row

RETENTION = 0.95
TOKENS = 127  # of a window
SIZES = (200, 500, 1000)
Draw = Callable[[Any, int], Any]

# How much more a variant loses on a token, with mean 0 and the spread of the quantized models of examples/tiny-llm or more.
LOSSES: dict[str, Draw] = {
    "tokens normal": lambda rng, n: 0.3 * rng.standard_normal((n, TOKENS)).mean(axis=1),
    "few tokens lose much (log-normal)": lambda rng, n: (0.1 * (rng.lognormal(0, 1.5, (n, TOKENS)) - math.exp(1.125))).mean(
        axis=1
    ),
    "windows differ (exponential)": lambda rng, n: 0.05 * (rng.exponential(size=n) - 1),
    "windows differ (t with 3 degrees)": lambda rng, n: 0.03 * rng.standard_t(3, n),
}


def perplexity_rows(runs: int, sizes: Sequence[int] = SIZES) -> Iterator[Row]:
    for name, draw in LOSSES.items():
        for n in sizes:
            rng = np.random.default_rng(11)
            yield Row("perplexity", f"{name}; n = {n}", sum(_passes(draw(rng, n)) for _ in range(runs)), runs)


def _passes(more: Any) -> bool:
    baseline = np.full(len(more), 3.0)
    scores = PairedScores("log", p=baseline, q=baseline + more - math.log(RETENTION), examples=len(more))
    return shows(scores, RETENTION, ALPHA)
