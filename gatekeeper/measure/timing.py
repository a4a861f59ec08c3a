"""What runs inside a worker while it is timed: nothing but clock readings and a list around the framework's calls."""

from __future__ import annotations

import os
import sys
import time
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, cast

from gatekeeper.errors import NotMeasured
from gatekeeper.process.messages import Answer, Held, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gatekeeper.frameworks._base import Session, TextSession

WARM_UP_INFERENCES = 3
WARM_UP_NS = 50_000_000
BETWEEN_BLOCKS_NS = 5_000_000
"""A process that was only suspended is warm after one inference; it needs no more that take long."""
WARM_UP_TOKENS = 3
OVERHEAD_SAMPLES = 301

Feeds = list[dict[str, Any]]
NOT_LOADED = "timing before load"


class Block(Request, frozen=True, kw_only=True):
    """Time inferences for `duration_ns`, at least `least` of them, after dropping the first ones.

    `last`: and go on until every input was timed as often as every other one since the model was loaded. Models of different
    speed would else be timed on different mixes of short and long inputs. (Prompts are all of one length.)
    """

    duration_ns: int
    least: int
    last: bool = False

    def answer(self, held: Held) -> Timed:
        """Of the session that was loaded."""
        return held.get(Timer, NOT_LOADED).block(self)


class Timed(Answer, frozen=True, kw_only=True):
    """Latencies of one block, in order; of text models, times between tokens, and times to each first token.

    Context switches are those of the whole process during the block, None where the system does not tell.
    """

    latencies_ns: list[int]
    cpu_ns: int
    wall_ns: int
    first_tokens_ns: list[int] = []
    yielded: int | None = None
    preempted: int | None = None

    def sensible(self, passed_ns: float) -> bool:
        """A worker cannot have measured more time than passed, nor none at all."""
        cores = os.cpu_count() or 1
        return (
            min(self.latencies_ns, default=0) > 0
            and min(self.first_tokens_ns, default=1) > 0
            and min(self.yielded or 0, self.preempted or 0) >= 0
            and sum(self.latencies_ns) + sum(self.first_tokens_ns) <= self.wall_ns <= passed_ns
            and 0 <= self.cpu_ns <= 2 * passed_ns * cores  # its clock ticks more coarsely than the parent's
        )


class Saturate(Request, frozen=True, kw_only=True):
    """Run inferences from `callers` threads at once for `duration_ns`."""

    duration_ns: int
    callers: int

    def answer(self, held: Held) -> Saturated:
        """Of the session that was loaded."""
        return held.get(Timer, NOT_LOADED).saturate(self)


class Saturated(Answer, frozen=True, kw_only=True):
    """How many inferences ended in how long; 0 where the framework takes one caller at a time."""

    inferences: int
    wall_ns: int

    def sensible(self, passed_ns: float) -> bool:
        """As of a block."""
        return self.inferences >= 0 and 0 < self.wall_ns <= passed_ns


class Timer:
    """Times one session over its feeds, taken in turn from the one of number `first`; a block goes on where the last one
    stopped. What only warms up takes its own turn.
    """

    def __init__(self, session: Session, feeds: Feeds, first: int = 0):
        start = first % len(feeds)
        self.session, self.feeds = session, feeds[start:] + feeds[:start]
        self._turn: Iterator[dict[str, Any]] = cycle(self.feeds)
        self._idle: Iterator[dict[str, Any]] = cycle(self.feeds)
        self._timed = 0
        self._writes_text = hasattr(session, "generate")

    @property
    def inputs(self) -> int:
        """How many inputs are timed equally often; 0 where tokens are timed."""
        return 0 if self._writes_text else len(self.feeds)

    def warm_up(self, longest_ns: int = WARM_UP_NS) -> None:
        """A few inferences whose time is not kept, one at least: caches and thread pools wake up."""
        start = time.perf_counter_ns()
        for feed in islice(self._idle, WARM_UP_INFERENCES):
            self._once(feed)
            if time.perf_counter_ns() - start > longest_ns:
                break

    def block(self, request: Block) -> Timed:
        """Time inferences, or tokens of a text model, one at a time."""
        self.warm_up(BETWEEN_BLOCKS_NS)
        latencies: list[int] = []
        first_tokens: list[int] = []
        switches, cpu, start = _switches(), time.process_time_ns(), time.perf_counter_ns()
        if self._writes_text:
            self._time_tokens(latencies, first_tokens, request, start)
        else:
            _time_calls(self.session.run, self._turn, latencies, request, start)
            if request.last:
                rest = Block(duration_ns=0, least=len(latencies) + -(self._timed + len(latencies)) % len(self.feeds))
                if rest.least > len(latencies):
                    _time_calls(self.session.run, self._turn, latencies, rest, start)
            self._timed += len(latencies)
        wall, cpu = time.perf_counter_ns() - start, time.process_time_ns() - cpu
        yielded, preempted = (
            (after - before if after is not None and before is not None else None)
            for after, before in zip(_switches(), switches, strict=True)
        )
        return Timed(
            latencies_ns=latencies,
            first_tokens_ns=first_tokens,
            cpu_ns=cpu,
            wall_ns=wall,
            yielded=yielded,
            preempted=preempted,
        )

    def saturate(self, request: Saturate) -> Saturated:
        """Inferences that end while `callers` threads each keep one in flight."""
        if self._writes_text or not getattr(self.session, "CONCURRENT", False):
            return Saturated(inferences=0, wall_ns=1)
        from concurrent.futures import ThreadPoolExecutor

        run, feeds, clock = self.session.run, self.feeds, time.perf_counter_ns
        with ThreadPoolExecutor(request.callers) as pool:
            list(pool.map(run, islice(self._idle, request.callers)))  # every thread has started and run once
            start = clock()
            end = start + request.duration_ns

            def call(offset: int) -> int:
                done = 0
                for feed in islice(cycle(feeds), offset, None):
                    run(feed)
                    done += 1
                    if clock() >= end:
                        break
                return done

            inferences = sum(pool.map(call, range(request.callers)))
            return Saturated(inferences=inferences, wall_ns=clock() - start)

    def _once(self, feed: dict[str, Any]) -> None:
        if self._writes_text:
            for _ in islice(cast("TextSession", self.session).generate(feed), WARM_UP_TOKENS):
                pass
        else:
            self.session.run(feed)

    def _time_tokens(self, between: list[int], first: list[int], request: Block, start: int) -> None:
        """Times between one token and the next, and from the request to each first one."""
        clock, generate = time.perf_counter_ns, cast("TextSession", self.session).generate
        for feed in self._turn:
            before = clock()
            for i, _ in enumerate(generate(feed)):
                now = clock()
                (between if i else first).append(now - before)
                before = now
            if not between:
                raise NotMeasured("data", "the model wrote fewer than two tokens, so there is no time per token. Ask for more.")
            if before - start >= request.duration_ns and len(between) >= request.least:
                return


def _time_calls(
    run: Callable[[dict[str, Any]], object],
    feeds: Iterator[dict[str, Any]],
    latencies: list[int],
    request: Block,
    start: int,
) -> None:
    clock, duration, least = time.perf_counter_ns, request.duration_ns, request.least
    for feed in feeds:
        before = clock()
        run(feed)
        now = clock()
        latencies.append(now - before)
        if now - start >= duration and len(latencies) >= least:
            return


def overhead_ns() -> int:
    """What timing adds to one latency: the median over timings of a call that does nothing."""
    latencies: list[int] = []
    request = Block(duration_ns=0, least=OVERHEAD_SAMPLES)
    _time_calls(_nothing, cycle([{}]), latencies, request, time.perf_counter_ns())
    return sorted(latencies)[len(latencies) // 2]


def _nothing(feed: dict[str, Any]) -> None:
    return None


def _switches() -> tuple[int | None, int | None]:
    """Voluntary and involuntary context switches of this process so far, all threads together."""
    if sys.platform == "win32":  # it counts them, but does not tell them apart
        return None, None
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw, usage.ru_nivcsw
