"""Noise of a machine, which all arms meet, and of a process, which one arm meets alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gatekeeper.stats.looks import LOOKS

Array = Any  # of float, [runs, ...]
Noise = Callable[[np.random.Generator, int], Array]
ROUNDS, BLOCKS, ARMS = LOOKS[-1], 8, 3
BASELINE, VARIANT, CONTROL = range(ARMS)

# --- noise of a machine: ln slowness of each block, [runs, rounds * blocks * arms] --------------------------------------------

SLOTS = BLOCKS * ARMS


def quiet(rng: np.random.Generator, runs: int) -> Array:
    return np.zeros((runs, ROUNDS * SLOTS))


def autoregressive(rng: np.random.Generator, runs: int) -> Array:
    """Phases of some 20 blocks, nearly a round."""
    level = 0.1 * rng.standard_normal((runs, ROUNDS * SLOTS))
    for i in range(1, ROUNDS * SLOTS):
        level[:, i] = 0.95 * level[:, i - 1] + math.sqrt(1 - 0.95**2) * level[:, i]
    return level


def modes(rng: np.random.Generator, runs: int) -> Array:
    """A slow mode that the whole machine enters and leaves, for some 15 blocks at a time."""
    steps = rng.random((runs, ROUNDS * SLOTS))
    state = np.empty((runs, ROUNDS * SLOTS), dtype=bool)
    state[:, 0] = steps[:, 0] < 0.3
    for i in range(1, ROUNDS * SLOTS):
        state[:, i] = np.where(state[:, i - 1], steps[:, i] > 1 / 15, steps[:, i] < 0.3 / 0.7 / 15)
    return 0.3 * state


def throttling(rng: np.random.Generator, runs: int) -> Array:
    """From some block on, a third slower; that round's arms do not meet it alike."""
    return 0.4 * (np.arange(ROUNDS * SLOTS) >= rng.integers(SLOTS, ROUNDS * SLOTS, size=(runs, 1)))


def bursts(rng: np.random.Generator, runs: int) -> Array:
    """A neighbour triples the latency of four blocks in a row, in one of twelve places."""
    starts = rng.random((runs, ROUNDS * SLOTS)) < 1 / 48
    hit = starts.copy()
    for shift in range(1, 4):
        hit[:, shift:] |= starts[:, :-shift]
    return math.log(3) * hit


def drifting(rng: np.random.Generator, runs: int) -> Array:
    """Slower by up to half over the run, evenly."""
    return rng.uniform(0, 0.4, size=(runs, 1)) * np.linspace(0, 1, ROUNDS * SLOTS)


ORDERS = np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])


def met(machine: Array, rng: np.random.Generator) -> Array:
    """What the machine adds to each arm in each block: [runs, rounds, blocks, arms], their order drawn anew each time."""
    runs = len(machine)
    order = ORDERS[rng.integers(len(ORDERS), size=(runs, ROUNDS, BLOCKS))]
    return np.take_along_axis(machine.reshape(runs, ROUNDS, BLOCKS, ARMS), order, axis=-1)


def raced(machine: Array, rng: np.random.Generator) -> Array:
    """What the machine adds to the geometric mean of each arm's blocks: [runs, rounds, arms]."""
    return met(machine, rng).mean(axis=2)


# --- noise of a process: ln slowness of an arm in a round, [runs, rounds, arms], of equal mean in every arm --------------------


def normal(rng: np.random.Generator, runs: int) -> Array:
    return 0.05 * rng.standard_normal((runs, ROUNDS, ARMS))


def heavy_tail(rng: np.random.Generator, runs: int) -> Array:
    return 0.05 * rng.standard_t(3, (runs, ROUNDS, ARMS))


def own_modes(rng: np.random.Generator, runs: int) -> Array:
    """Each process is fast or slow for good, by where its memory came to lie."""
    return 0.3 * (rng.random((runs, ROUNDS, ARMS)) < 0.3) + 0.02 * rng.standard_normal((runs, ROUNDS, ARMS))


def remembering(rho: float) -> Callable[[np.random.Generator, int], Array]:
    """Rounds that are not independent: what an arm meets alone lasts into its next rounds."""

    def draw(rng: np.random.Generator, runs: int) -> Array:
        level = normal(rng, runs)
        for i in range(1, ROUNDS):
            level[:, i] = rho * level[:, i - 1] + math.sqrt(1 - rho**2) * level[:, i]
        return level

    return draw


def unequal(bias: float) -> Callable[[np.random.Generator, int], Array]:
    """A runner that treats its arms unequally in every round of a run: what the A/A control is there to see."""

    def draw(rng: np.random.Generator, runs: int) -> Array:
        return normal(rng, runs) + bias * rng.standard_normal((runs, 1, ARMS))

    return draw


def rare_mode(share: float) -> Callable[[np.random.Generator, int], Array]:
    """The variant alone has a slow mode, in `share` of its processes."""

    def draw(rng: np.random.Generator, runs: int) -> Array:
        found = 0.02 * rng.standard_normal((runs, ROUNDS, ARMS))
        found[:, :, VARIANT] += 0.3 * ((rng.random((runs, ROUNDS)) < share) - share)
        return found

    return draw
