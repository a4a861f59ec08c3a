"""Ramps of a new model whose rates are known, as the judge of rollouts sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from gatekeeper.records.rollout import Decision, RolloutLimits, Seen, Window
from gatekeeper.stats.rollout import Judge

LIMITS = RolloutLimits(slow_ms=100.0, disagreement=None, burst_s=0.0)
WEIGHTS = (0.25, 0.5, 0.9)
PER_LOOK = 40
"""Requests between two looks, of both colours."""


@dataclass(frozen=True)
class Ramp:
    """How one ended, and the requests that green and both had until then."""

    decision: Decision
    green: int
    requests: int


def ramp(
    seed: int,
    green: float,
    blue: float,
    limits: RolloutLimits = LIMITS,
    weights: tuple[float, ...] = WEIGHTS,
    requests: int = 60_000,
    per_look: int = PER_LOOK,
    every: int = 0,
    interruption: Mapping[str, Any] = MappingProxyType({}),
    bursts: float = 0.0,
) -> Ramp:
    """One ramp with these error rates; `hold` where so many requests decide nothing. `every` so many looks there is an
    interruption: a window with these values. In the share `bursts` of all looks green's rate is as much higher as makes its mean
    the same, and it is 0 in all others.
    """
    rng, judge = np.random.default_rng(seed), Judge(limits, len(weights))
    had = total = looks = 0
    while total < requests:
        to_green = int(rng.binomial(per_look, weights[judge.step]))
        counts = {}
        now = (green / bursts if rng.random() < bursts else 0.0) if bursts else green
        for name, n, rate in (("green", to_green, now), ("blue", per_look - to_green, blue)):
            bad = int(rng.binomial(n, rate))
            counts[name] = Seen(requests=n, errors=bad, slow=bad)
        had, total = had + to_green, total + per_look
        looks += 1
        more = interruption if every and looks % every == 0 else {}
        ruling = judge.see(Window(step=judge.step, seconds=float(total), **counts, **more))
        if judge.over:
            return Ramp(ruling.decision, had, total)
    return Ramp(Decision.HOLD, had, total)


@dataclass(frozen=True)
class RolloutRow:
    """Of ramps with the same rates: shares promoted and rolled back, and requests to green at the median."""

    green: float
    blue: float
    steps: str
    promoted: float
    rolled_back: float
    held: float
    median_green: float


Cell = tuple[float, float, tuple[float, ...]]


def at_the_limit() -> list[Cell]:
    """Green is above blue by exactly the limit: in all of a ramp, or in its only step."""
    limit = LIMITS.error_rate
    return [(b + limit, b, weights) for b in (0.0, 0.02) for weights in ((0.05,), (0.5,), WEIGHTS)]


def fine() -> list[Cell]:
    """Green is as good as blue, or better."""
    return [(0.0, 0.0, WEIGHTS), (0.001, 0.001, WEIGHTS), (0.01, 0.01, WEIGHTS), (0.0, 0.02, WEIGHTS)]


def rollout_rows(runs: int, cells: list[Cell], requests: int) -> list[RolloutRow]:
    """A row for each cell."""
    rows = []
    for number, (green, blue, weights) in enumerate(cells):
        ramps = [ramp(1000 * number + seed, green, blue, weights=weights, requests=requests) for seed in range(runs)]
        share = {each: sum(one.decision is each for one in ramps) / runs for each in Decision}
        steps = "-".join(f"{100 * weight:g}" for weight in weights)
        middle = float(np.median([one.green for one in ramps]))
        decided = share[Decision.PROMOTE], share[Decision.ROLLBACK], share[Decision.HOLD]
        rows.append(RolloutRow(green, blue, steps, *decided, middle))
    return rows
