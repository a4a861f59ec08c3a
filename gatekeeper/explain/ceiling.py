"""How many bytes a second this machine moves, by what STREAM does: copy, triad, and reading alone.

As McCalpin's STREAM (Memory Bandwidth and Machine Balance, 1995) counts: bytes that the program reads and writes, not what caches
fetch besides. The arrays are as large together as what a model moves: one that fits into a cache is held against the cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gatekeeper.process.messages import Answer, Held, Request

LEAST_BYTES = 1 << 20
"""Smaller arrays are moved in less time than it takes to call numpy."""
MOST_BYTES = 256 << 20
ROUNDS = 6
SECONDS = 0.05


class Move(Request, frozen=True, kw_only=True):
    """Move arrays of `bytes` together from `threads` threads at once, `rounds` times for `seconds` each way."""

    bytes: int
    threads: int
    rounds: int = ROUNDS
    seconds: float = SECONDS

    def answer(self, held: Held) -> MovedBytes:
        """Numpy lets go of its lock while it moves."""
        ways = _ways(min(MOST_BYTES, max(LEAST_BYTES, self.bytes)) // self.threads)
        _round(ways, self.threads, self.seconds)  # pages are touched, clocks are up
        return MovedBytes(rounds=[_round(ways, self.threads, self.seconds) for _ in range(self.rounds)])


class MovedBytes(Answer, frozen=True, kw_only=True):
    """Bytes a second, by way, in each round."""

    rounds: list[dict[str, float]]

    def sensible(self, passed_ns: float) -> bool:
        """Something moved."""
        return bool(self.rounds) and all(value > 0 for each in self.rounds for value in each.values())


Way = Callable[[], tuple[Callable[[], Any], int]]
"""Makes what one thread calls over and over, on arrays of its own, and the bytes that a call moves."""


def _ways(each: int) -> dict[str, Way]:
    import numpy as np

    def copy() -> tuple[Callable[[], Any], int]:
        a, b = (np.ones(max(1, each // 8), np.float32) for _ in range(2))
        return (lambda: np.copyto(a, b)), 2 * a.nbytes

    def triad() -> tuple[Callable[[], Any], int]:
        a, b, c = (np.ones(max(1, each // 12), np.float32) for _ in range(3))

        def call() -> None:  # a = b + s c, in the two passes that numpy needs
            np.multiply(c, 0.5, out=a)
            np.add(a, b, out=a)

        return call, 5 * a.nbytes

    def read() -> tuple[Callable[[], Any], int]:
        a = np.ones(max(1, each // 4), np.float32)
        return (lambda: np.max(a)), a.nbytes

    return {"copy": copy, "triad": triad, "read": read}


def _round(ways: dict[str, Way], threads: int, seconds: float) -> dict[str, float]:
    return {name: _together(way, threads, seconds) for name, way in ways.items()}


def _together(way: Way, threads: int, seconds: float) -> float:
    """Bytes a second of all threads, in the time in which all of them ran."""
    from concurrent.futures import ThreadPoolExecutor

    made = [way() for _ in range(threads)]

    def one(number: int) -> float:
        call, moved = made[number]
        call()
        start = time.perf_counter()
        done, passed = 0, 0.0
        while passed < seconds:
            call()
            done, passed = done + 1, time.perf_counter() - start
        return done * moved / passed

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(one, range(threads)))
