"""Peak memory at the exact limit."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from gatekeeper.stats.looks import schedule
from simulation.noise import ROUNDS, Array, remembering
from simulation.rows import Row
from simulation.rules import one_ratio
from simulation.timings import DEPENDENT, UNSEEN

REDUCTION = 0.5
PEAK = 100 * 2**20


def peaks(name: str, rng: np.random.Generator, runs: int) -> Array:
    """ln(variant / baseline) of the peaks in bytes, [runs, rounds], of mean ln(1 - REDUCTION)."""
    shape, both = (runs, ROUNDS), (2, runs, ROUNDS)
    if name == "normal":
        noise = 0.01 * rng.standard_normal(both)
    elif name == "heavy tail (t3)":
        noise = 0.01 * rng.standard_t(3, both)
    elif name == "bimodal, an arena more in 30 % of processes":
        noise = 0.1 * (rng.random(both) < 0.3) + 0.002 * rng.standard_normal(both)
    elif name == "bursts (a tenth of readings 20 % high)":
        noise = 0.2 * (rng.random(both) < 0.1) + 0.005 * rng.standard_normal(both)
    elif name == "rounds correlated 0.1":
        noise = 0.2 * remembering(0.1)(rng, runs)[:, :, :2].transpose(2, 0, 1)
    elif name == "drifting and stepping alike":
        noise = 0.01 * rng.standard_normal(both) + 0.1 * np.linspace(0, 1, ROUNDS) + 0.2 * (np.arange(ROUNDS) > 6)
    elif name == "ties (pages of 4 KiB)":
        page = 4096
        exact = PEAK * np.array([1 - REDUCTION, 1.0])[:, None, None] * np.exp(2e-4 * rng.standard_normal(both))
        rounded = np.round(exact / page) * page
        return np.log(rounded[0] / rounded[1])
    elif name == "an arena more in 30 % of the variant's processes alone":
        one = 0.1 * ((rng.random(shape) < 0.3) - 0.3) + 0.002 * rng.standard_normal(shape)
        return math.log(1 - REDUCTION) + one
    else:
        raise KeyError(name)
    return math.log(1 - REDUCTION) + noise[0] - noise[1]


MEMORIES = {
    "normal": "",
    "heavy tail (t3)": "",
    "bimodal, an arena more in 30 % of processes": "",
    "bursts (a tenth of readings 20 % high)": "",
    "drifting and stepping alike": "",
    "ties (pages of 4 KiB)": "",
    "rounds correlated 0.1": DEPENDENT,
    "an arena more in 30 % of the variant's processes alone": UNSEEN,
}


def memory_rows(runs: int) -> Iterator[Row]:
    for most in (5, 8, ROUNDS):
        for name, broken in MEMORIES.items():
            logs = peaks(name, np.random.default_rng(most), runs)
            passed = int((one_ratio(logs, 1 - REDUCTION, schedule(most)) > 0).sum())
            yield Row(f"memory, {most} rounds", name, passed, runs, broken)
