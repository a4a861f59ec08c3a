"""What the gates on load pass at their limits: requests over it in bursts, and answers in a machine's slow phases."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from kit.lazily import Lazily

from gatekeeper.records.base import Verdict
from simulation.noise import Array
from simulation.rows import Row

signal = Lazily("scipy.signal")

RUNS = 600


def over(rng: np.random.Generator, n: int, share: float, burst: float) -> Array:
    """Whether each of n requests is over the limit: a two-state Markov chain, `share` over, in bursts of mean `burst`."""
    if burst <= 1:
        return rng.random(n) < share
    enter = share / ((1 - share) * burst)
    gaps, lengths = rng.geometric(enter, 4 + int(3 * n * enter + 20)), rng.geometric(1 / burst, 4 + int(3 * n * enter + 20))
    if rng.random() < share:
        gaps[0] = 0  # geometric times have no memory: a run may start inside a burst
    flags = np.repeat(np.tile([False, True], gaps.size), np.stack([gaps, lengths], axis=1).reshape(-1))
    assert flags.size >= n
    return flags[:n]


def passes(judge: Callable[[Array], Verdict], burst: float, share: float, n: int, runs: int = RUNS) -> Row:
    """How often a gate passes runs of n requests of which `share` are over its limit in the long run."""
    rng = np.random.default_rng(round(1000 * burst) + n)
    passed = sum(judge(over(rng, n, share, burst)) is Verdict.PASS for _ in range(runs))
    return Row("under load", f"bursts of {burst}, {share:.2%}; n = {n}", passed, runs)


def offline(rng: np.random.Generator, runs: int, per_s: float, alike: float, seconds: float = 5.0) -> Iterator[Array]:
    """When each request was answered, at a rate that averages `per_s` and whose phases are `alike` from window to window."""
    windows = 20
    for _ in range(runs):
        noise = signal.lfilter([math.sqrt(1 - alike**2)], [1, -alike], rng.standard_normal(windows + 100))[100:]
        rates = np.maximum(per_s * (1 + 0.1 * noise), 1.0)
        work = np.concatenate([[0.0], np.cumsum(rates) * seconds / windows])
        yield np.interp(np.arange(1, int(work[-1]) + 1), work, np.linspace(0, seconds, windows + 1))
