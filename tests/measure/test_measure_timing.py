"""What a worker times: single inferences, tokens of a text model, and many callers at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gatekeeper.errors import NotMeasured
from gatekeeper.measure import timing
from gatekeeper.measure.timing import WARM_UP_INFERENCES, Block, Saturate, Timer, overhead_ns


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, each block begins with as many inferences that are not timed."""
    monkeypatch.setattr(timing, "BETWEEN_BLOCKS_NS", 3600 * 10**9)


FEEDS: list[dict[str, Any]] = [{"x": i} for i in range(5)]


def spin(ns: int) -> None:
    end = time.perf_counter_ns() + ns
    while time.perf_counter_ns() < end:
        pass


class Sleeper:
    """Sleeps 2 ms an inference, so that several callers end several times as many."""

    inputs, outputs = ("x",), ("y",)

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.most, self._inside, self._lock = 0, 0, threading.Lock()

    def run(self, feed: dict[str, Any]) -> list[Any]:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self.seen.append(feed["x"])
        time.sleep(0.002)
        with self._lock:
            self._inside -= 1
        return []


class Shared(Sleeper):
    CONCURRENT = True


class Writer(Sleeper):
    """Takes 4 ms to its first token and 1 ms to each of the others."""

    def __init__(self, tokens: int = 5) -> None:
        super().__init__()
        self.tokens = tokens

    def generate(self, feed: dict[str, Any]) -> Iterator[int]:
        self.seen.append(feed["x"])
        spin(4_000_000)
        for token in range(self.tokens):
            yield token
            spin(1_000_000)


def timed(session: Sleeper, blocks: int, least: int) -> list[int]:
    """The inputs that were timed: those of each block less its warm-up."""
    size = WARM_UP_INFERENCES + least
    return [x for i in range(blocks) for x in session.seen[i * size + WARM_UP_INFERENCES :][:least]]


@pytest.mark.usefixtures("patient")
def test_a_block_takes_the_feeds_in_turn_and_goes_on_where_the_last_one_stopped() -> None:
    session = Sleeper()
    timer = Timer(session, FEEDS)
    for _ in range(3):
        assert len(timer.block(Block(duration_ns=0, least=4)).latencies_ns) == 4
    assert timed(session, 3, 4) == [i % len(FEEDS) for i in range(12)], "what warms up takes no turn"


@pytest.mark.parametrize(("longest_ms", "warm"), [(0.001, 1), (3, 2), (3_600_000, WARM_UP_INFERENCES)])
def test_inferences_that_take_long_are_not_repeated_to_warm_up_between_blocks(
    longest_ms: float, warm: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "BETWEEN_BLOCKS_NS", longest_ms * 1e6)
    session = Sleeper()
    assert len(Timer(session, FEEDS).block(Block(duration_ns=0, least=4)).latencies_ns) == 4
    assert len(session.seen) - 4 <= warm and len(session.seen) - 4 >= 1
    assert warm == 2 or len(session.seen) - 4 == warm  # on a busy machine 2 ms may be more than 3


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("first", [0, 2, 7])
def test_a_timer_begins_with_the_feed_it_is_told(first: int) -> None:
    session = Sleeper()
    Timer(session, FEEDS, first).block(Block(duration_ns=0, least=6))
    assert timed(session, 1, 6) == [(first + i) % len(FEEDS) for i in range(6)]


@pytest.mark.parametrize(("least", "blocks", "whole"), [(1, 1, 5), (3, 2, 10), (5, 1, 5), (4, 3, 15), (6, 1, 10)])
def test_the_last_block_ends_when_every_input_was_timed_equally_often(least: int, blocks: int, whole: int) -> None:
    timer = Timer(Sleeper(), FEEDS)
    counts = [len(timer.block(Block(duration_ns=0, least=least, last=i == blocks - 1)).latencies_ns) for i in range(blocks)]
    assert counts[:-1] == [least] * (blocks - 1)
    assert sum(counts) == whole and timer.inputs == len(FEEDS)


def test_latencies_are_those_of_the_calls() -> None:
    timed = Timer(Sleeper(), FEEDS).block(Block(duration_ns=20_000_000, least=3))
    assert min(timed.latencies_ns) >= 2_000_000
    assert timed.wall_ns >= max(20_000_000, sum(timed.latencies_ns))
    assert timed.first_tokens_ns == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell context switches apart")
def test_a_session_that_sleeps_gives_the_cpu_away_once_an_inference() -> None:
    timed = Timer(Sleeper(), FEEDS).block(Block(duration_ns=0, least=30))
    assert timed.yielded is not None and timed.yielded >= 30
    assert timed.preempted is not None and timed.preempted >= 0


def test_tokens_of_a_text_model_are_timed_one_by_one() -> None:
    session = Writer(tokens=5)
    timed = Timer(session, FEEDS).block(Block(duration_ns=0, least=8))
    assert (len(timed.first_tokens_ns), len(timed.latencies_ns)) == (2, 8)
    assert min(timed.first_tokens_ns) >= 4_000_000
    assert all(ns >= 1_000_000 for ns in timed.latencies_ns)
    assert sum(timed.latencies_ns) + sum(timed.first_tokens_ns) <= timed.wall_ns


@pytest.mark.parametrize("tokens", [0, 1])
def test_a_model_that_writes_no_second_token_has_no_time_per_token(tokens: int) -> None:
    with pytest.raises(NotMeasured, match="fewer than two tokens"):
        Timer(Writer(tokens), FEEDS).block(Block(duration_ns=0, least=1))


def test_saturation_keeps_as_many_inferences_in_flight_as_there_are_callers() -> None:
    session = Shared()
    alone = Timer(session, FEEDS).saturate(Saturate(duration_ns=60_000_000, callers=1))
    assert session.most == 1
    four = Timer(session, FEEDS).saturate(Saturate(duration_ns=60_000_000, callers=4))
    assert session.most == 4
    assert four.inferences / four.wall_ns > 2 * alone.inferences / alone.wall_ns
    assert four.wall_ns >= 60_000_000


@pytest.mark.parametrize("session", [Sleeper(), Writer()])
def test_a_session_for_one_caller_is_not_saturated(session: Sleeper) -> None:
    assert Timer(session, FEEDS).saturate(Saturate(duration_ns=1, callers=2)).inferences == 0
    assert session.seen == []


def test_an_error_of_one_caller_is_that_of_all() -> None:
    class Failing(Shared):
        def run(self, feed: dict[str, Any]) -> list[Any]:
            raise RuntimeError("out of handles")

    with pytest.raises(RuntimeError, match="out of handles"):
        Timer(Failing(), FEEDS).saturate(Saturate(duration_ns=1, callers=2))


def test_the_overhead_is_of_an_empty_call() -> None:
    assert 0 < overhead_ns() < 100_000
