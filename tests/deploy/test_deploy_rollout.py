"""A rollout from beginning to end, with a proxy and a clock that are made up: killed at any moment, one colour serves."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gatekeeper.deploy.journal import Event, Journal, read
from gatekeeper.deploy.rollout import Outcome, Plan, roll, settle
from gatekeeper.errors import NotMeasured
from gatekeeper.records.rollout import Decision, RolloutLimits, Seen, Window
from gatekeeper.stats.rollout import judged

LIMITS = RolloutLimits(error_rate=0.2, slow_rate=0.2, slow_ms=100.0, disagreement=None, burst_s=0.0)
STEPS = (25, 50, 90)


class Killed(BaseException):
    """SIGKILL: nothing is tidied up."""


class World:
    """A proxy that outlives the process, a clock, and a green that is well or not."""

    def __init__(self, bad: float = 0.0, requests: int = 100, dies_after: int = 10**9):
        self.green, self.now, self.bad, self.requests = 0, 0.0, bad, requests
        self.moves: list[int] = []
        self.left = dies_after
        self.asked: list[bool] = []

    def breathe(self) -> None:
        """A moment at which the process may be killed."""
        self.left -= 1
        if self.left < 0:
            raise Killed

    def give_green(self, percent: int) -> None:
        self.breathe()
        self.green = percent
        self.moves.append(percent)
        self.breathe()

    def look(self, step: int, count_asked: bool = False) -> Window:
        self.breathe()
        self.asked.append(count_asked)
        half = self.requests
        green = Seen(requests=half, errors=int(half * self.bad), slow=int(half * self.bad))
        return Window(step=step, seconds=self.now, green=green, blue=Seen(requests=half))

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def roll(self, path: Path, plan: Plan | None = None) -> Outcome:
        with Journal(path) as journal:
            add = journal.add
            journal.add = lambda entry: (self.breathe(), add(entry), self.breathe())[1]  # type: ignore[method-assign]
            wanted = plan or Plan(steps=STEPS, limits=LIMITS, deadline_s=60.0, models=("old", "new"))
            return roll(wanted, self, self, journal, sleep=self.sleep, clock=lambda: self.now)


def test_a_healthy_green_has_everything_in_the_end(tmp_path: Path) -> None:
    world = World()
    outcome = world.roll(tmp_path / "j")
    assert (outcome.ruling.decision, outcome.green, outcome.passed) == (Decision.PROMOTE, 100, 3)
    assert world.moves == [25, 50, 90, 100]
    events = [entry.event for entry in read(tmp_path / "j")]
    assert events == [Event.BEGIN, *[Event.STEP, Event.PASSED] * 3, Event.PROMOTING, Event.PROMOTED]
    assert judged(LIMITS, 3, outcome.windows) == outcome.ruling


def test_a_faulty_green_has_nothing_in_the_end(tmp_path: Path) -> None:
    world = World(bad=0.5)
    outcome = world.roll(tmp_path / "j")
    assert outcome.ruling.decision is Decision.ROLLBACK and world.moves == [25, 0]
    assert judged(LIMITS, 3, outcome.windows) == outcome.ruling


def test_a_person_who_wants_to_decide_is_left_to(tmp_path: Path) -> None:
    world = World(bad=0.5)
    outcome = world.roll(tmp_path / "j", Plan(steps=STEPS, limits=LIMITS, deadline_s=60.0, automatic=False))
    assert outcome.ruling.decision is Decision.ROLLBACK and world.green == outcome.green == 25
    assert read(tmp_path / "j")[-1].event is Event.WAITING


def test_no_evidence_until_the_deadline_gives_everything_back(tmp_path: Path) -> None:
    world = World(requests=0)
    outcome = world.roll(tmp_path / "j")
    assert outcome.ruling.decision is Decision.HOLD and world.green == 0 and world.now >= 60.0
    assert read(tmp_path / "j")[-1].event is Event.WENT_BACK


def test_a_step_of_nothing_is_judged_on_questions(tmp_path: Path) -> None:
    world = World()
    assert world.roll(tmp_path / "j", Plan(steps=(0,), limits=LIMITS, deadline_s=60.0)).green == 100
    assert set(world.asked) == {True} and world.moves == [0, 100]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), NotMeasured("crash", "gone")])
def test_whatever_is_raised_blue_has_its_traffic_back(tmp_path: Path, error: BaseException) -> None:
    world = World()

    def fail(step: int, count_asked: bool = False) -> Window:
        raise error

    world.look = fail  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        world.roll(tmp_path / "j")
    assert world.moves == [25, 0]


@pytest.mark.parametrize("bad", [0.0, 0.5])
def test_killed_at_any_moment_the_next_run_knows_who_serves(tmp_path: Path, bad: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every line of the journal, before and after; at every move of the weights, before and after; at every look."""
    monkeypatch.setattr(os, "fsync", lambda file: None)  # the process is killed, not the machine
    whole = World(bad)
    whole.roll(tmp_path / "whole")
    moments = 10**9 - whole.left
    assert moments > 10
    for moment in range(moments):
        path = tmp_path / f"{moment}"
        world = World(bad, dies_after=moment)
        _killed(world, lambda world=world, path=path: world.roll(path))
        promoted = Event.PROMOTING in [entry.event for entry in read(path)]
        assert 0 <= world.green <= 90 or promoted, "green has everything only if that was written down first"
        world.left = 10**9
        with Journal(path) as journal:
            settle(world, journal)
            assert world.green == (100 if promoted else 0), moment
            assert not journal.standing().cut_short
            before = len(world.moves)
            settle(world, journal)
            assert len(world.moves) == before, "what is settled is left alone"


def _killed(world: World, work: Callable[[], object]) -> None:
    """As SIGKILL ends it: no `except` and no `finally` has an effect on the world."""
    try:
        work()
    except Killed:
        return
    raise AssertionError("it was over before")
