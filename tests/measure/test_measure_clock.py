"""A worker whose clock is right is never accused, whatever the machine does meanwhile; one whose clock lies is."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

import pytest

from gatekeeper.errors import NotMeasured
from gatekeeper.measure import clock
from gatekeeper.measure.clock import READINGS, ClockRead, check_clock, read_clock
from gatekeeper.process.isolate import Worker

OFFSET_NS = 77 * 10**9
MS = 1_000_000


class Machine:
    """Time that passes while this process or the worker waits for its turn: `delay` says how long, at every step."""

    def __init__(self, delay: Callable[[], float], clock_of: Callable[[int], float] = lambda now: now):
        self.now, self.delay, self.clock_of, self.asked = 10**12, delay, clock_of, 0

    def perf_counter_ns(self) -> int:
        self.wait()
        here = self.now
        self.wait()
        return here

    def wait(self) -> None:
        self.now += int(self.delay())

    def ask(self, request: object, answer: object, timeout_s: float, quiet: bool) -> ClockRead:
        self.asked += 1
        self.wait()
        read = ClockRead(clock_ns=int(self.clock_of(self.now)) - OFFSET_NS)
        self.wait()
        return read


def checked(machine: Machine, monkeypatch: pytest.MonkeyPatch, between_ns: float) -> None:
    """Read the clock twice, so long after one another."""
    monkeypatch.setattr(clock, "time", machine)
    worker = cast(Worker, machine)
    first = read_clock(worker, 1.0)
    machine.now += int(between_ns)
    check_clock(first, read_clock(worker, 1.0))


SCHEDULES: dict[str, Callable[[random.Random], Callable[[], float]]] = {
    "idle": lambda draw: lambda: draw.uniform(0, 0.2 * MS),
    "busy": lambda draw: lambda: draw.expovariate(1 / (30 * MS)),
    "stopped now and then": lambda draw: lambda: draw.choice([0, 0, 0, 0, 0, 0, 3000 * MS]),
    "one is kept from running for long": lambda draw: lambda: 0.1 * MS if draw.random() < 0.9 else draw.paretovariate(0.7) * MS,
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_right_clock_is_never_accused(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(1)
    for _ in range(2000):
        machine = Machine(SCHEDULES[schedule](draw))
        checked(machine, monkeypatch, 10 ** draw.uniform(0, 10))
        assert machine.asked == 2 * READINGS


@pytest.mark.parametrize("schedule", ["idle", "busy"])
@pytest.mark.parametrize("rate", [-1, 0, 0.5, 0.8, 1.3, 2, 50])
def test_a_clock_that_goes_at_another_pace_is_accused(rate: float, schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After two seconds, and on a busy machine, too: the closest of several readings counts."""
    draw = random.Random(2)
    for _ in range(200):
        with pytest.raises(NotMeasured, match=r"clock makes no sense: it counted .* while between .* and .* s passed") as caught:
            checked(Machine(SCHEDULES[schedule](draw), lambda now: rate * now), monkeypatch, 2000 * MS)
        assert caught.value.kind == "garbage"


def test_a_clock_that_is_set_back_is_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    start: list[int] = []

    def jumps(now: int) -> float:
        start.append(now)
        return now if len(start) <= READINGS else now - 500 * MS

    with pytest.raises(NotMeasured, match="clock makes no sense"):
        checked(Machine(lambda: 0.1 * MS, jumps), monkeypatch, 2000 * MS)


def test_the_closest_reading_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    delays = iter([0.0] * 4 + [900.0 * MS] + [0.0] * 100)
    machine: Any = Machine(lambda: next(delays))
    monkeypatch.setattr(clock, "time", machine)
    found = read_clock(machine, 1.0)
    assert found.answered_ns - found.asked_ns < MS
