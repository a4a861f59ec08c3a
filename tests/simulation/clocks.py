"""A clock that is coarse against the latency: what it does to the speedup gate, and rules that could catch it.

The median of a process is rounded to a tick. Where a process's own noise is small against the tick, every process rounds
the same way, and the bound closes around a value that is wrong by up to half a tick of each arm.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gatekeeper.stats.looks import LOOKS, look_alpha
from simulation import noise
from simulation.noise import ARMS, BASELINE, ROUNDS, VARIANT, Array, Noise
from simulation.rules import bounds, distinct, sequential
from simulation.timings import Timing

LIMIT = 2.0
PHASES = np.arange(-0.5, 0.5, 0.125)
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
GRAIN = 1e-9  # equal readings differ by less once their logarithms are rounded
HUGE = 1e6  # a tick if no two readings differ: nothing is known


def of(spread: float, heavy: bool = False, apart: float = 0.0) -> Noise:
    """Processes of standard deviation (or t3 scale) `spread`, three in ten of them slower by `apart`."""

    def draw(rng: np.random.Generator, runs: int) -> Array:
        shape = (runs, ROUNDS, ARMS)
        own = rng.standard_t(3, shape) if heavy else rng.standard_normal(shape)
        return spread * own + apart * (rng.random(shape) < 0.3)

    return draw


PROCESSES: dict[str, Noise] = {
    "normal, 1 %": of(0.01),
    "normal, 5 %": of(0.05),
    "heavy tail (t3), 2 %": of(0.02, heavy=True),
    "two modes 30 % apart": of(0.02, apart=0.3),
    "two modes 10 % apart": of(0.01, apart=0.1),
}


def effect(logs: Array) -> Array:
    return logs[:, :, BASELINE] - logs[:, :, VARIANT]


def of_each_arm(least: int) -> Callable[[Array], Array]:
    return lambda logs: np.minimum(distinct(logs[:, :, BASELINE]), distinct(logs[:, :, VARIANT])) >= least


def ratios(least: int) -> Callable[[Array], Array]:
    return lambda logs: distinct(effect(logs)) >= least


def charged(logs: Array) -> Array:
    """The least effect the readings allow if each is wrong by half a tick; the smallest gap between two is a tick."""
    readings = np.exp(logs[:, :, [BASELINE, VARIANT]])
    gaps = np.diff(np.sort(readings.reshape(len(logs), -1), axis=1), axis=1)
    half = np.where(gaps > GRAIN, gaps, HUGE).min(axis=1)[:, None] / 2
    return np.log(np.maximum(readings[:, :, 0] - half, 1 / HUGE)) - np.log(readings[:, :, 1] + half)


def anything(logs: Array) -> Array:
    return np.ones(len(logs), dtype=bool)


RULES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {  # what is bounded, whether it may be judged
    "no rule": (effect, anything),
    "two ratios": (effect, ratios(2)),
    "three ratios": (effect, ratios(3)),
    "five ratios": (effect, ratios(5)),
    "three of each arm": (effect, of_each_arm(3)),
    "four of each arm": (effect, of_each_arm(4)),
    "half a tick charged": (charged, anything),
}


def passes(logs: Array, bounded: Callable[[Array], Array], judged: Callable[[Array], Array]) -> Array:
    """Whether each run passes, without the A/A control."""
    target = math.log(LIMIT)

    def judge(look: int) -> Array:
        part = logs[:, :look]
        return (judged(part) & (bounds(bounded(part), look_alpha(look, LOOKS[-1]))[0] >= target)).astype(int)

    return sequential(judge, LOOKS, len(logs))[0] > 0


def rates(process: Noise, tick: float, truth: float, runs: int) -> Array:
    """Share of passes, [phases, rules]."""
    found = []
    for phase in PHASES if tick else [0.0]:
        logs = Timing(noise.quiet, process, tick, float(phase)).logs(np.random.default_rng(1), runs, truth)
        found.append([passes(logs, *rule).mean() for rule in RULES.values()])
    return np.array(found)


def clock_table(runs: int) -> str:
    """False passes where the true latency lies worst between two ticks."""
    lines = [f"| noise of a process | tick | {' | '.join(RULES)} |", "|---|--:|" + "--:|" * len(RULES)]
    for name, process in PROCESSES.items():
        for tick in TICKS:
            worst = rates(process, tick, LIMIT, runs).max(axis=0)
            lines.append(f"| {name} | {tick:.0%} | {' | '.join(f'{rate:.1%}' for rate in worst)} |")
    return "\n".join(lines) + "\n"


def clock_power_table(runs: int) -> str:
    """Passes that are owed, on average over where the true latency lies between two ticks."""
    lines = [f"| truth | tick | {' | '.join(RULES)} |", "|--:|--:|" + "--:|" * len(RULES)]
    for truth in (2.2, 4.0):
        for tick in (0.0, 0.001, 0.01, 0.05, 0.2):
            mean = rates(PROCESSES["normal, 5 %"], tick, truth, runs).mean(axis=0)
            lines.append(f"| {truth:g}x | {tick:.1%} | {' | '.join(f'{rate:.1%}' for rate in mean)} |")
    return "\n".join(lines) + "\n"
