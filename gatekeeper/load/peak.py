"""The highest rate that a model bears within its latency limit, and latency against load on the way there."""

from __future__ import annotations

from gatekeeper.load.sender import Sender
from gatekeeper.records.tested import LoadRun

STEPS, HIGHEST = 6, 2.0
"""How many rates are tried; none is over so many times the capacity."""


def peak(sender: Sender, first: float, capacity: float, bound: float, seconds: float) -> tuple[list[LoadRun], float | None]:
    """Bisect between rates, in ratios: every rate that was tried, rising, and the highest whose p99 and errors hold.

    Rates are requests a second, `bound` is in milliseconds, each rate is held for `seconds`.
    """
    low, high, best = 0.0, HIGHEST * capacity, None
    points: list[LoadRun] = []
    rate = first
    for _ in range(STEPS):
        point = sender.line("server", sender.send("server", rate, seconds), rate, bound)
        points.append(point)
        if point.meets:
            low, best = rate, max(best or 0.0, rate)
        else:
            high = rate
        rate = (low * high) ** 0.5 if low else high / 2
    return sorted(points, key=lambda p: p.target_qps or 0.0), best
