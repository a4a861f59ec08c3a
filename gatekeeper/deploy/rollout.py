"""One rollout: steps that end by evidence, every move written down before it is made, and blue serves if it ends otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from gatekeeper.deploy.haproxy import Colour
from gatekeeper.deploy.journal import Entry, Event, Journal, Standing
from gatekeeper.records.rollout import Decision, RolloutLimits, Ruling, Window
from gatekeeper.stats.rollout import NOTHING, Judge

POLL_S = 0.2
"""How often it looks."""


class Weights(Protocol):
    """What gives green its part of the traffic."""

    def give_green(self, percent: int) -> None:
        """Green's share, from 0 to 100."""


class Eyes(Protocol):
    """What is seen since the last look."""

    def look(self, step: int, count_asked: bool = False) -> Window:
        """With `count_asked` questions that both colours were asked count as requests."""
        raise NotImplementedError


@dataclass(frozen=True)
class Plan:
    """What is fixed before the first request. `steps` are green's shares in percent."""

    steps: tuple[int, ...]
    limits: RolloutLimits
    deadline_s: float
    automatic: bool = True  # rollback: automatic | manual
    models: tuple[str, str] = ("", "")
    socket: str = ""
    poll_s: float = POLL_S
    judge: Callable[[RolloutLimits, int], Judge] = Judge


@dataclass
class Outcome:
    """How it ended, and everything it was judged on: `judged(limits, steps, windows)` gives the same ruling."""

    ruling: Ruling = NOTHING
    passed: int = 0
    windows: list[Window] = field(default_factory=list)
    seconds: float = 0.0
    green: int = 0  # green's share at the end, in percent


def settle(weights: Weights, journal: Journal) -> Standing:
    """Carry out what an earlier run meant to do: whatever ended it, the colour that serves then has all the traffic."""
    standing = journal.standing()
    if standing.cut_short:
        share = 100 if standing.serves is Colour.GREEN else 0
        intent, done = (Event.PROMOTING, Event.PROMOTED) if share else (Event.GOING_BACK, Event.WENT_BACK)
        journal.add(Entry(event=intent, green=share, reason="an earlier run was cut short"))
        weights.give_green(share)
        journal.add(Entry(event=done, green=share))
    return standing


def roll(
    plan: Plan,
    weights: Weights,
    eyes: Eyes,
    journal: Journal,
    on_step: Callable[[int], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Ramp green up; at its end it has everything, or nothing. `manual` leaves a rollback to a person: green keeps what it has.

    Whatever is raised meanwhile, Ctrl-C too, blue gets its traffic back first.
    """
    outcome, judge, began = Outcome(), plan.judge(plan.limits, len(plan.steps)), clock()
    end = began + plan.deadline_s
    blue, green = plan.models
    journal.add(Entry(event=Event.BEGIN, blue_model=blue, green_model=green, socket=plan.socket))
    try:
        while not judge.over:
            share = plan.steps[judge.step]
            _move(weights, journal, Entry(event=Event.STEP, green=share))
            outcome.green = share
            on_step(judge.step)
            outcome.ruling = _step(judge, plan, eyes, outcome, end, sleep, clock)
            if outcome.ruling.decision is not Decision.PROMOTE:
                break
            outcome.passed += 1
            journal.add(Entry(event=Event.PASSED, green=share))
    except BaseException as error:
        by = "an interruption" if isinstance(error, KeyboardInterrupt) else type(error).__name__
        _go_back(weights, journal, f"cut short by {by}")
        raise
    ruling, outcome.seconds = outcome.ruling, clock() - began
    if ruling.decision is Decision.PROMOTE:
        _move(weights, journal, Entry(event=Event.PROMOTING, green=100))
        journal.add(Entry(event=Event.PROMOTED, green=100))
        outcome.green = 100
    elif ruling.decision is Decision.ROLLBACK and not plan.automatic:
        journal.add(Entry(event=Event.WAITING, green=outcome.green, reason=ruling.reason))
    else:
        _go_back(weights, journal, ruling.reason)
        outcome.green = 0
    return outcome


def _step(
    judge: Judge, plan: Plan, eyes: Eyes, outcome: Outcome, end: float, sleep: Callable[[float], None], clock: Callable[[], float]
) -> Ruling:
    """Until it is passed, or green is rolled back, or there is no more time: then `hold`."""
    step, ruling = judge.step, NOTHING
    asked = plan.steps[step] == 0
    while clock() < end:
        sleep(plan.poll_s)
        window = eyes.look(step, count_asked=asked)
        outcome.windows.append(window)
        ruling = judge.see(window)
        if ruling.decision is not Decision.HOLD:
            break
    return ruling


def _move(weights: Weights, journal: Journal, entry: Entry) -> None:
    """Written first: a move that nobody wrote down would be unknown to the next run."""
    journal.add(entry)
    weights.give_green(entry.green)


def _go_back(weights: Weights, journal: Journal, reason: str) -> None:
    _move(weights, journal, Entry(event=Event.GOING_BACK, reason=reason))
    journal.add(Entry(event=Event.WENT_BACK, reason=reason))
