"""Readings of a server's memory over a long run."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from kit.lazily import Lazily

from simulation.noise import Array

signal = Lazily("scipy.signal")


def growing(runs: int, drift: float, alike: float = 0.0, seed: int = 0, n: int = 60, spread: float = 0.01) -> Iterator[Array]:
    """Bytes that grow by `drift` of their median; neighbours are `alike`, as where a collector works in phases."""
    rng, at = np.random.default_rng(seed), np.linspace(-0.5, 0.5, n)
    for _ in range(runs):
        noise = signal.lfilter([math.sqrt(1 - alike**2)], [1, -alike], rng.standard_normal(n + 100))[100:]
        yield 1e8 * (1 + drift * at + spread * noise)
