"""Whether a worker's clock can be believed: read between two moments of this process's own, and again later.

Only what must be true is asked of it. Between two readings passed at least the time from the answer to the first until the
question of the second, and at most that from the question of the first until the answer to the second. However long the answer
was under way, or this process was kept from looking, the worker's time lies between the two if its clock is right. Nothing else
is done while it is read, so on a machine that is not busy the two are some tenths of a millisecond apart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from gatekeeper.errors import NotMeasured
from gatekeeper.process.isolate import Worker
from gatekeeper.process.messages import Answer, Held, Request

READINGS = 3
TOLERANCE = 0.01  # of clocks of one machine, whose processors may tick a little apart
GRAIN_NS = 1_000_000


class ReadClock(Request, frozen=True, kw_only=True):
    """Say what time it is."""

    def answer(self, held: Held) -> ClockRead:
        """By the clock that latencies are read from."""
        return ClockRead(clock_ns=time.perf_counter_ns())


class ClockRead(Answer, frozen=True, kw_only=True):
    """The worker's time, from a start of its own."""

    clock_ns: int


@dataclass(frozen=True)
class Reading:
    """The worker's clock, and this process's before it was asked and after it had answered."""

    asked_ns: int
    there_ns: int
    answered_ns: int


def read_clock(worker: Worker, timeout_s: float) -> Reading:
    """The worker's clock, as closely as can be had in a few attempts."""
    readings = []
    for _ in range(READINGS):
        asked = time.perf_counter_ns()
        there = worker.ask(ReadClock(), ClockRead, timeout_s, quiet=True).clock_ns
        readings.append(Reading(asked, there, time.perf_counter_ns()))
    return min(readings, key=lambda reading: reading.answered_ns - reading.asked_ns)


def check_clock(first: Reading, second: Reading) -> None:
    """`NotMeasured` where the worker's clock cannot have gone on as this one did, its being suspended included."""
    least, most = second.asked_ns - first.answered_ns, second.answered_ns - first.asked_ns
    there = second.there_ns - first.there_ns
    if not least * (1 - TOLERANCE) - GRAIN_NS <= there <= most * (1 + TOLERANCE) + GRAIN_NS:
        passed = f"between {least / 1e9:.2f} and {most / 1e9:.2f} s"
        raise NotMeasured("garbage", f"the worker's clock makes no sense: it counted {there / 1e9:.2f} s while {passed} passed.")
