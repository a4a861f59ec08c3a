"""p95 / p50 of a process at the exact limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtrit

from gatekeeper.measure.rounds import _Running, _summarise
from gatekeeper.stats.looks import LOOKS
from simulation.noise import ROUNDS, Array
from simulation.rows import Row, chunks
from simulation.rules import tail_ratio

VARIATION = 0.2
LAWS: dict[str, tuple[Callable[[Any, Any], Array], Callable[[float], float]]] = {  # draws of an inference, its quantile
    "normal": (lambda rng, shape: rng.standard_normal(shape), lambda share: float(ndtri(share))),
    "heavy tail (t3)": (lambda rng, shape: rng.standard_t(3, shape), lambda share: float(stdtrit(3, share))),
    "skewed (exponential)": (lambda rng, shape: rng.standard_exponential(shape), lambda share: -math.log(1 - share)),
    "bimodal (12 % slow)": (
        lambda rng, shape: 5 * (rng.random(shape) < 0.12) + rng.standard_normal(shape),
        lambda share: brentq(lambda x: 0.88 * ndtr(x) + 0.12 * ndtr(x - 5) - share, -10, 20),
    ),
}
SPREADS = {name: (name, 0.0) for name in LAWS} | {  # noise: (law, correlation of neighbouring inferences)
    "autoregressive 0.5": ("normal", 0.5),
    "autoregressive 0.9": ("normal", 0.9),
    "ties (clock of 2 %)": ("normal", 0.0),
    "ties (clock of 10 %, worst phase)": ("normal", 0.0),
}
CLOCKS = {"ties (clock of 2 %)": (0.02, 0.0), "ties (clock of 10 %, worst phase)": (0.1, -0.375)}  # noise: tick, phase


def p95_method() -> Any:
    """The percentile method of measure/rounds.py, found by asking it."""
    latencies = [i * i for i in range(37)]
    worker: Any = None
    found = _summarise(0, _Running(worker, worker, latencies=latencies, cpu_ns=1, wall_ns=1), 1).p95_ns
    return next(m for m in METHODS if math.isclose(found, float(np.percentile(latencies, 95, method=m))))


METHODS: tuple[Any, ...] = ("linear", "median_unbiased", "normal_unbiased", "weibull", "hazen")


def quantiles(noise: str, inferences: int, rng: np.random.Generator, runs: int, method: Any) -> tuple[Array, Array]:
    """ln p50 and ln p95 of a round's inferences, [runs, rounds]; in their law they differ by exactly ln(1 + VARIATION)."""
    law, rho = SPREADS[noise]
    draw, quantile = LAWS[law]
    scale = math.log1p(VARIATION) / (quantile(0.95) - quantile(0.5))
    middle, slow = np.empty((runs, ROUNDS)), np.empty((runs, ROUNDS))
    for r in range(ROUNDS):
        x = draw(rng, (runs, inferences))
        for i in range(1, inferences if rho else 0):
            x[:, i] = rho * x[:, i - 1] + math.sqrt(1 - rho**2) * x[:, i]
        x = np.exp(scale * x)
        if noise in CLOCKS:
            tick, phase = CLOCKS[noise]
            x = np.round(x * (1 + phase * tick) / tick) * tick
        middle[:, r], slow[:, r] = np.log(np.quantile(x, [0.5, 0.95], axis=1, method=method))
    return middle, slow


def consistency_rows(
    runs: int, method: Any = None, sizes: Sequence[int] = (20, 50, 200), broken_too: bool = True
) -> Iterator[Row]:
    """`sizes` are inferences of a round; cells whose assumptions are broken may be left out."""
    method = method or p95_method()
    for name, (_, rho) in SPREADS.items():
        for inferences in sizes if broken_too or not rho else ():
            rng, passed = np.random.default_rng(inferences), 0
            for some in chunks(runs):
                middle, slow = quantiles(name, inferences, rng, some, method)
                passed += int((tail_ratio(middle, slow, 1 + VARIATION, LOOKS, CLOCKS.get(name, (0.0, 0.0))[0]) > 0).sum())
            broken = "inferences of a round are independent" if rho else ""
            broken = broken or ("the p95 of a round is unbiased" if method in ("linear", "hazen") else "")
            yield Row("stability", f"{name}; {inferences} inferences a round", passed, runs, broken)
