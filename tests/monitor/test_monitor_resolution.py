"""What is done about an alert, step by step: the order, once each, what is kept, whom it reaches, and SIGKILL anywhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kit.command import Command

from gatekeeper.monitor.actions._base import Change, Serving, Variant
from gatekeeper.monitor.decide import Finding, Look, Seen
from gatekeeper.monitor.resolution.evidence import Evidence, text, title
from gatekeeper.monitor.resolution.journal import Entry, Event, Journal, episodes, read
from gatekeeper.monitor.resolution.place import Ended, Waits
from gatekeeper.monitor.resolution.resolve import Resolver

STEPS = ("more_cpu", "model_cache", "smaller_batch", "quantized")
LONG_AGO, MUCH_LATER = 1.0, 4e9


def finding(alert: str = "latency_p99", status: Any = "fires", **told: Any) -> Finding:
    values: dict[str, Any] = {"observed": 80.0, "limit": 50.0, "unit": "ms", "p_value": 1e-9, "n": 900, "needs": 299}
    values |= {"over": 0.2, "allowed": 0.01} | told
    return Finding(name=alert, test="performance", alert=alert, status=status, **values)


def look(*findings: Finding, since: float = LONG_AGO) -> Look:
    fires = any(each.status == "fires" for each in findings)
    return Look(
        schema="gatekeeper/watch/v1", time="2026-11-28T12:00:00Z", look=3, spends=0.01, window=(since, since + 10),
        verdict="fires" if fires else "fine", signals=[Seen(name="throughput", value=5.0, unit="per s", n=10)],
        findings=list(findings), unread=[], notes=[],
    )  # fmt: skip


class Killed(BaseException):
    """As SIGKILL: nothing after it is done."""


@dataclass
class Stage:
    """A host that is made up: how each step would end, what it serves, and which steps it was asked to take."""

    ends: dict[str, Ended] = field(default_factory=dict)
    serves: str = "first"
    asked: list[str] = field(default_factory=list)
    pending: str = ""
    kill: Callable[[str], None] = lambda moment: None
    busy: bool = False

    def settle(self, cut: Entry | None) -> Ended | None:
        kept = cut is not None and self.serves == cut.slot
        self.pending = ""
        return Ended("cut_short", "killed", kept) if cut else None

    def serving(self) -> Serving:
        return Serving(threads=1, max_batch=8, cores=4, variant="first", variants=[Variant("a/b/int8", 2.0)])

    def attempt(self, change: Change, finding: Finding, metric: str, begun: Callable[[str], None]) -> Ended:
        if self.busy:
            raise Waits("another deploy is at work")
        name = next(iter(change.settings), change.variant)
        self.kill("before")
        slot = f"{name}-{len(self.asked)}"
        begun(slot)
        self.asked.append(name)  # what was not begun may be begun
        self.kill("begun")
        self.pending = slot
        self.kill("rolling")
        ended = self.ends.get(name, Ended("rollback", "it does not help"))
        if ended.kept:
            self.serves = slot
            self.kill("promoted")
        self.pending = ""
        self.kill("over")
        return ended


@dataclass
class World:
    path: Path
    stage: Stage = field(default_factory=Stage)
    told: list[Evidence] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    reaches: tuple[list[str], list[str]] = (["webhook"], [])

    def resolver(self) -> Resolver:
        def tell(evidence: Evidence) -> tuple[list[str], list[str]]:
            self.told.append(evidence)
            return self.reaches

        return Resolver(self.stage, Journal(self.path), STEPS, tell, "p.yaml", self.said.append)

    def answer(self, seen: Look) -> None:
        self.resolver().answer(seen)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "resolution.jsonl")


SETTINGS = ["threads", "cache", "max_batch", "a/b/int8"]
"""What the steps change, in their order."""


def test_steps_are_tried_in_order_once_each_and_then_a_person_is_told(world: World) -> None:
    for _ in range(3):
        world.answer(look(finding()))
    assert world.stage.asked == SETTINGS
    [evidence] = world.told
    assert [step.step for step in evidence.steps] == list(STEPS)
    assert {step.decision for step in evidence.steps} == {"rollback"}
    assert evidence.findings == [finding()] and evidence.signals[0].name == "throughput"
    assert "4 steps did not help" in title(evidence) and "20.00% of 900 over it, allowed 1.00%" in text(evidence)


def test_the_first_that_helps_is_kept_and_nothing_more_is_tried(world: World) -> None:
    world.stage.ends["cache"] = Ended("promote", "shown", kept=True)
    world.answer(look(finding()))
    assert world.stage.asked == SETTINGS[:2] and world.told == []
    world.answer(look(finding()))
    assert world.stage.asked == SETTINGS[:2], "that look still goes back to before the step was kept"
    world.answer(look(finding(), since=MUCH_LATER))
    assert world.stage.asked == SETTINGS and len(world.told) == 1, "it fires after all of a window has passed"


def test_an_alert_that_is_fine_again_is_closed_and_may_try_again_later(world: World) -> None:
    world.answer(look(finding()))
    world.answer(look(finding(status="undecided")))
    assert episodes(read(world.path)), "too little was seen to say that it is over"
    world.answer(look(finding(status="fine")))
    assert not episodes(read(world.path))
    world.answer(look(finding()))
    assert world.stage.asked == SETTINGS * 2 and len(world.told) == 2


def test_pages_come_first_and_what_shows_the_same_is_not_tried_twice(world: World) -> None:
    world.answer(look(finding("latency_p95"), finding("latency_p99")))
    assert world.stage.asked == SETTINGS, "both are of slow requests"
    assert [each.alert for each in world.told] == ["latency_p99", "latency_p95"]


def test_what_no_step_can_end_goes_to_a_person_at_once(world: World) -> None:
    world.answer(look(finding("accuracy", over=None, allowed=None)))
    assert world.stage.asked == [] and world.told[0].alert == "accuracy"
    assert "no step can help" in title(world.told[0])


def test_who_cannot_be_reached_is_said_and_told_again(world: World) -> None:
    world.reaches = ([], ["webhook: it does not answer"])
    world.answer(look(finding()))
    assert any("NOT SENT: webhook: it does not answer" in said for said in world.said)
    world.reaches = (["webhook"], ["issue: no token"])
    world.answer(look(finding()))
    world.answer(look(finding()))
    assert len(world.told) == 2 and world.stage.asked == SETTINGS
    assert read(world.path)[-1].unsent == ["issue: no token"]


def test_where_nobody_is_named_that_is_said_once(world: World) -> None:
    world.reaches = ([], [])
    for _ in range(2):
        world.answer(look(finding()))
    assert sum("nobody is named" in said for said in world.said) == 1


def test_a_host_where_another_is_at_work_is_asked_again_later(world: World) -> None:
    world.stage.busy = True
    world.answer(look(finding()))
    assert world.stage.asked == [] and world.told == [] and "nothing was tried" in world.said[-1]
    world.stage.busy = False
    world.answer(look(finding()))
    assert world.stage.asked == SETTINGS


def test_what_cannot_be_is_no_step_that_failed(world: World) -> None:
    world.stage.serving = lambda: Serving(threads=1, cores=1, text=True)  # type: ignore[method-assign]
    world.answer(look(finding()))
    assert world.stage.asked == []
    assert {step.decision for step in world.told[0].steps} == {"not_possible"}


@pytest.mark.parametrize("seed", range(60))
def test_killed_at_a_random_moment_nothing_is_tried_twice_and_one_serves(seed: int, world: World) -> None:
    """At any line of the journal, half written too, and at any moment of a step; then it goes on until a person was told or a
    step was kept."""
    draw = random.Random(seed)
    kept = draw.choice([None, *SETTINGS])
    if kept:
        world.stage.ends[kept] = Ended("promote", "shown", kept=True)
    left = draw.randrange(0, 30)
    kills = 0

    def moment(_: str = "") -> None:
        nonlocal left, kills
        left -= 1
        if left == 0:
            kills += 1
            left = draw.randrange(1, 30) if kills < 3 else -1
            raise Killed

    world.stage.kill = moment

    class Torn(Journal):
        def add(self, entry: Entry) -> Entry:
            try:
                moment()
            except Killed:
                if draw.random() < 0.5:
                    with self.path.open("ab") as file:
                        file.write(b'{"event":"try')  # as much as the disk took
                raise
            found = super().add(entry)
            moment()
            return found

    for _ in range(12):
        resolver = world.resolver()
        resolver.journal = Torn(world.path)
        try:
            resolver.answer(look(finding()))
        except Killed:
            continue
    assert len(world.stage.asked) == len(set(world.stage.asked)), "a step was taken twice"
    entries = read(world.path)
    begun = [each.step for each in entries if each.event is Event.TRYING]
    tried = [each.step for each in entries if each.event is Event.TRIED]
    assert len(begun) == len(set(begun)) and len(tried) == len(set(tried)) and set(begun) <= set(tried)
    assert world.stage.pending == "", "a step is still at work"
    last = next((each for each in entries if each.event is Event.TRIED and each.kept), None)
    assert world.stage.serves == (last.slot if last else "first"), "what serves is what the journal says was kept"
    assert bool(world.told) or last is not None


def test_a_journal_that_is_no_file_is_refused(tmp_path: Path) -> None:
    from gatekeeper.errors import UsageError

    (tmp_path / "resolution.jsonl").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        Journal(tmp_path / "resolution.jsonl")


def test_without_users_requests_to_both_nothing_is_tried(gatekeeper: Command, tmp_path: Path) -> None:
    """Beside an overloaded server one that has nothing to do is faster, whatever was changed."""
    file = tmp_path / "p.yaml"
    text = "edge_ai_pipeline:\n  stages: [model_validation]\n  deployment: {strategy: recreate}\n"
    text += "  monitoring: {resolution: {live: l}}\n"
    file.write_text(text)
    done = gatekeeper("validate", file)
    assert done.returncode == 2 and "deployment.strategy recreate gives a change none" in done.stderr
    file.write_text(text.replace("recreate", "canary"))
    assert "gives a change none" not in gatekeeper("validate", file).stderr
