"""Speedup at the exact limit: once, and re-run until it passes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simulation.noise import Array
from simulation.rows import Row, chunks
from simulation.rules import speedup
from simulation.timings import TIMINGS, Timing

ATTEMPTS = 10
RERUN = ("normal", "heavy tail (t3)", "bimodal, modes of each process", "throttling step")


def verdicts(
    timing: Timing, runs: int, ratio: float, rule: str = "margin", limit: float = 2.0, seed: int = 20_000, attempt: int = 1
) -> tuple[Array, Array]:
    """Verdict and rounds used of each run, for a variant that is truly `ratio` times as fast."""
    rng = np.random.default_rng(seed)
    parts = [speedup(timing.logs(rng, some, ratio), limit, rule, attempt=attempt, tick=timing.tick) for some in chunks(runs)]
    return np.concatenate([v for v, _ in parts]), np.concatenate([r for _, r in parts])


def speedup_rows(runs: int) -> Iterator[Row]:
    for name, timing in TIMINGS.items():
        found, _ = verdicts(timing, runs, 2.0)
        yield Row("speedup", name, int((found > 0).sum()), runs, timing.broken)


def rerun_rows(runs: int) -> Iterator[Row]:
    """Whether any of ten independent attempts at one commit passes, with the ledger of attempts and without."""
    for name in RERUN:
        for counted in (True, False):
            passed = np.zeros(runs, dtype=bool)
            for attempt in range(1, ATTEMPTS + 1):
                found, _ = verdicts(TIMINGS[name], runs, 2.0, seed=attempt, attempt=attempt if counted else 1)
                passed |= found > 0
            label, broken = (name, "") if counted else (f"{name}; attempts not counted", "attempts are counted")
            yield Row("speedup, re-run up to ten times until it passes", label, int(passed.sum()), runs, broken)
