"""Energy and power at the exact limit, read by a counter that is a little behind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gatekeeper.gates._energy import LEAST_BLUR
from gatekeeper.stats.looks import schedule
from simulation.noise import ARMS, BLOCKS, ROUNDS, VARIANT, Array
from simulation.rows import Row, chunks
from simulation.rules import energy_ratio, one_ratio

REDUCTION = 0.3
WATTS, IDLE = 10.0, 4.0
"""What the baseline draws, of which the idle machine so much."""
TIME = {"as fast, drawing less": 1.0, "twice as fast, drawing more": 0.5}
"""Two ways to be at the limit: seconds of the variant's inference, of the baseline's."""


def blocks(rng: np.random.Generator, runs: int, time: float, lag: float, noise: str) -> tuple[Array, Array]:
    """ln joules of an inference and ln watts as they are read, [runs, rounds, arms].

    Blocks last one unit. Before each the machine waits a tenth of one, drawing what it does idle. A reading is up to `lag` old:
    how old is drawn anew, or always that where the noise says so.
    """
    power = np.array([WATTS, WATTS * (1 - REDUCTION) / time, WATTS])
    took = np.array([1.0, time, 1.0])
    shape = (runs, ROUNDS, BLOCKS)
    order = rng.permuted(np.broadcast_to(np.arange(ARMS), (*shape, ARMS)), axis=-1)
    slow = machine(rng, runs, noise)
    own = 0.02 * rng.standard_normal((runs, ROUNDS, ARMS))
    drawn = np.take_along_axis(np.broadcast_to(power, (*shape, ARMS)), order, axis=-1) * slow
    drawn = drawn * np.exp(np.take_along_axis(np.broadcast_to(own[:, :, None], drawn.shape), order, axis=-1))
    ages = np.full((2, *drawn.shape), lag) if noise == "always as late" else lag * rng.random((2, *drawn.shape))
    flat = drawn.reshape(runs, -1)
    before = np.concatenate([flat[:, :1], flat[:, :-1]], axis=1).reshape(drawn.shape)
    waiting = np.minimum(ages[0], 0.1)  # of the time before a block the machine was idle so long
    read = drawn * (1 - ages[1]) + IDLE * waiting + before * (ages[0] - waiting)
    speed = np.exp(0.02 * rng.standard_normal((runs, ROUNDS, ARMS)))
    watts = np.empty((runs, ROUNDS, ARMS))
    for arm in range(ARMS):
        watts[:, :, arm] = np.where(order == arm, read, 0).sum(axis=(2, 3)) / BLOCKS
    return np.log(watts * took * speed), np.log(watts)


def machine(rng: np.random.Generator, runs: int, noise: str) -> Array:
    """How much more the machine draws in each block than the model alone, [runs, rounds, blocks, arms]."""
    shape = (runs, ROUNDS, BLOCKS, ARMS)
    if noise == "heavy tail (t3)":
        return np.exp(0.05 * rng.standard_t(3, shape).clip(-20, 20))
    if noise == "neighbours (a tenth of blocks 50 % more)":
        return 1 + 0.5 * (rng.random(shape) < 0.1)
    if noise == "warming up":
        return np.broadcast_to(1 + 0.2 * np.linspace(0, 1, ROUNDS)[:, None, None], shape)
    return np.exp(0.05 * rng.standard_normal(shape))


NOISES = ("normal", "heavy tail (t3)", "neighbours (a tenth of blocks 50 % more)", "warming up", "always as late")
LAGS = (0.0, 0.01, 0.1)
TRUTH = 2000
"""Runs from which the power that a variant draws is known."""
DRIFTS = "rounds are alike"


def charge(lag: float) -> float:
    """As gates/_energy.py has it, of blocks that last one unit."""
    part = max(lag, LEAST_BLUR)
    return (1 + part) / (1 - part)


def energy_rows(runs: int) -> Iterator[Row]:
    for way, time in TIME.items():
        for lag in LAGS:
            for noise in NOISES:
                rng, passed, charged = np.random.default_rng(11), 0, charge(lag)
                for part in chunks(runs):
                    joules, _ = blocks(rng, part, time, lag, noise)
                    passed += int((energy_ratio(joules, 1 - REDUCTION, schedule(ROUNDS), charged**2) > 0).sum())
                yield Row("energy", f"{noise}; {way}; readings {lag:.0%} of a block old", passed, runs)


def power_rows(runs: int) -> Iterator[Row]:
    """At a limit that is what the variant draws, beside a baseline that draws less, or more."""
    for way, time in TIME.items():
        for lag in LAGS:
            for noise in NOISES:
                rng, passed, charged = np.random.default_rng(12), 0, charge(lag)
                truth = float(blocks(np.random.default_rng(13), TRUTH, time, 0.0, noise)[1][:, :, VARIANT].mean())
                for part in chunks(runs):
                    _, watts = blocks(rng, part, time, lag, noise)
                    logs = watts[:, :, VARIANT] - truth + np.log(charged)
                    passed += int((one_ratio(logs, 1.0, schedule(ROUNDS)) > 0).sum())
                broken = DRIFTS if noise == "warming up" else ""
                yield Row("power", f"{noise}; {way}; readings {lag:.0%} of a block old", passed, runs, broken)
