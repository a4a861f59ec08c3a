"""The share of requests over a p99 limit at exactly 1 %."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from kit.lazily import Lazily
from scipy.special import ndtri

from gatekeeper.stats.tail import judge_tail
from simulation.noise import Array
from simulation.rows import Row

signal = Lazily("scipy.signal")

SHARE = 0.01
Draws = Callable[[np.random.Generator, int, int], Array]  # (rng, runs, n): over-limit indicators, [runs, n]


def in_bursts(mean: float, heavy: bool = False) -> Draws:
    """Bursts of `mean` requests, geometric or (heavy) Pareto in length; exactly 1 % over in the long run."""

    def draw(rng: np.random.Generator, runs: int, n: int) -> Array:
        if mean <= 1:
            return rng.random((runs, n)) < SHARE
        lead = 50 * round(mean) if heavy else 0  # where the law of the first burst is not known, its start is not looked at
        leave, enter = 1 / mean, SHARE / ((1 - SHARE) * mean)
        most = int((n + lead) * enter + 8 * math.sqrt((n + lead) * enter) + 12)
        gaps, lengths = rng.geometric(enter, (runs, most)), rng.geometric(leave, (runs, most))
        if heavy:
            lengths = np.floor((mean - 0.5) / 2 * (1 + rng.pareto(2, (runs, most))) + 0.5).astype(np.int64)
        else:
            gaps[rng.random(runs) < SHARE, 0] = 0  # geometric times have no memory: a run may start inside a burst
        starts = np.cumsum(gaps, axis=1) + np.cumsum(lengths, axis=1) - lengths - lead
        row, burst = np.nonzero((starts < n) & (starts + lengths > 0))
        edges = np.zeros((runs, n + 1), dtype=np.int8)
        edges[row, np.maximum(starts[row, burst], 0)] += 1
        edges[row, np.minimum(starts[row, burst] + lengths[row, burst], n)] -= 1
        return np.cumsum(edges[:, :n], axis=1, dtype=np.int8).astype(bool)

    return draw


def over_autoregressive(rng: np.random.Generator, runs: int, n: int) -> Array:
    """Latencies that remember (0.9), over their own 99th percentile."""
    start = rng.standard_normal((runs, 1))
    steps = math.sqrt(1 - 0.9**2) * rng.standard_normal((runs, n))
    level, _ = signal.lfilter([1.0], [1.0, -0.9], steps, axis=1, zi=0.9 * start)
    return level > ndtri(1 - SHARE)


def over_rising(rng: np.random.Generator, runs: int, n: int) -> Array:
    """A share that rises from 0 to 2 % over the run."""
    return rng.random((runs, n)) < 2 * SHARE * np.linspace(0, 1, n)


LONG = "bursts are shorter than n / 700"
TAILS: list[tuple[str, Draws, int, float, str]] = [  # (noise, draws, n, tau that is stated, assumption broken)
    ("independent", in_bursts(1), 1000, 1, ""),
    ("independent", in_bursts(1), 10_000, 1, ""),
    ("bursts of 1.4", in_bursts(1.4), 1000, 1, ""),
    ("bursts of 3", in_bursts(3), 1000, 1, LONG),
    ("bursts of 3", in_bursts(3), 3000, 1, ""),
    ("bursts of 10", in_bursts(10), 1000, 1, LONG),
    ("bursts of 10", in_bursts(10), 3000, 1, LONG),
    ("bursts of 10", in_bursts(10), 10_000, 1, ""),
    ("bursts of 10, stated", in_bursts(10), 20_000, 19, ""),
    ("bursts of 30", in_bursts(30), 10_000, 1, LONG),
    ("bursts of 30", in_bursts(30), 21_000, 1, ""),
    ("bursts of Pareto length, mean 10", in_bursts(10, heavy=True), 10_000, 1, ""),
    ("autoregressive 0.9", over_autoregressive, 10_000, 1, ""),
    ("drifting from 0 to 2 %", over_rising, 10_000, 1, ""),
]


def tail_rows(runs: int, most: int = 10**9, broken_too: bool = True) -> Iterator[Row]:
    """Of at most so many requests; cells whose assumptions are broken may be left out."""
    for name, draw, n, least, broken in TAILS:
        if n > most or (broken and not broken_too):
            continue
        rng, passed = np.random.default_rng(n), 0
        for start in range(0, runs, 200):
            for over in draw(rng, min(200, runs - start), n):
                passed += judge_tail(over, least_tau=least).decided == "pass"
        yield Row("p99", f"{name}; n = {n}", passed, runs, broken)
