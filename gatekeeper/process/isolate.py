"""The parent's side of a worker process: ask it, watch its memory and the time meanwhile, and say why it did not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from gatekeeper.errors import NotMeasured
from gatekeeper.process import memory
from gatekeeper.process.child import Child, how_it_ended
from gatekeeper.process.hold import Room
from gatekeeper.process.messages import MAX_ANSWER_BYTES, Answer, Failed, Request, pack, read_answer

A = TypeVar("A", bound=Answer)

MODULE = "gatekeeper.process.worker"
LIMIT_INTERVAL_S = 0.05
QUIET_INTERVAL_S = 0.5
SAMPLE_INTERVAL_S = 0.002
FULL_SAMPLE_EVERY = 25
END_S = 5.0
LAST_LOOK_S = 0.2


class Worker(AbstractContextManager["Worker"]):
    """One child process that answers requests. Use as a context manager: it never outlives the block.

    It is held where the system can: it writes into its scratch folder and what else its room names, and nowhere else.
    """

    def __init__(self, scratch: Path, memory_limit: int, threads: int | None = None, room: Room | None = None):
        self.memory_limit = memory_limit
        self.child = Child(MODULE, "worker", scratch, threads, MAX_ANSWER_BYTES, room or Room((scratch,)))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the program that works, whose memory counts."""
        return self.child.main

    @property
    def alive(self) -> bool:
        """Whether it runs, and can be asked more."""
        return self.child.alive

    def suspend(self) -> None:
        """Stop it, so that it takes nothing from the one that is measured."""
        self.child.suspend()

    def resume(self) -> None:
        """Let it run again."""
        self.child.resume()

    def close(self) -> None:
        """End it and whatever it started; idempotent."""
        self.child.close()

    def ask(
        self,
        request: Request,
        answer: type[A],
        timeout_s: float,
        sample: Callable[[bool], None] | None = None,
        quiet: bool = False,
    ) -> A:
        """Send a request and wait for its answer.

        `sample(full)` is called every few milliseconds meanwhile. With `quiet` the parent only waits: nothing
        disturbs a timed block. Every way of not answering is a `NotMeasured` with its kind.
        """
        sent, began = time.monotonic(), time.perf_counter_ns()  # the worker times with the second, and may tell of no more
        try:
            self.child.say(pack(request))
        except OSError:
            raise self._died() from None
        line = self._wait(sent + timeout_s, timeout_s, sample, quiet)
        try:
            reply = read_answer(line, answer)
        except ValueError:
            shown = line[:80].decode("utf-8", "backslashreplace").strip()
            raise self._kill("garbage", f"the worker answered something else than an answer: {shown!r}.") from None
        if isinstance(reply, Failed):
            raise NotMeasured(reply.kind, reply.message)
        if not reply.sensible((time.perf_counter_ns() - began) * 1.01):
            raise self._kill("garbage", "the worker's clock makes no sense: it reports more time than passed, or none.")
        return reply

    def _wait(self, deadline: float, timeout_s: float, sample: Callable[[bool], None] | None, quiet: bool) -> bytes:
        interval = QUIET_INTERVAL_S if quiet else SAMPLE_INTERVAL_S if sample else LIMIT_INTERVAL_S
        lines, count, checked = self.child.lines, 0, 0.0
        while True:
            late = time.monotonic() >= deadline
            # This process itself may have been kept from running: what the worker answered meanwhile is still in the pipe.
            line = lines.get(LAST_LOOK_S if late else min(interval, deadline - time.monotonic()))
            if line is not None:
                if not line:
                    raise self._died()
                if len(line) > MAX_ANSWER_BYTES or not line.endswith(b"\n"):
                    raise self._kill("garbage", "the worker's answer is endless or cut short.")
                self._check_memory()
                return line
            now = time.monotonic()
            if late:
                remedy = "the worker was ended. Raise `measure.timeout` if it needs longer."
                raise self._kill("timeout", f"no answer within {timeout_s:.0f} s; {remedy}")
            if not (lines.waiting or self.alive):
                lines.finish()  # it ended, but something it started may hold its answers open: do not wait for that
            if sample:
                count += 1
                sample(count % FULL_SAMPLE_EVERY == 0)
            if now - checked >= LIMIT_INTERVAL_S:
                checked = now
                self._check_memory()

    def _check_memory(self) -> None:
        taken = memory.resident(self.pid) if self.pid else 0
        if taken > self.memory_limit:
            raise self._kill(
                "memory",
                f"out of memory: the worker took {taken / 1e9:.1f} GB of {self.memory_limit / 1e9:.1f} GB allowed. "
                "Raise `measure.memory_limit` or use a larger machine.",
            )

    def _kill(self, kind: str, reason: str) -> NotMeasured:
        self.close()
        return NotMeasured(kind, reason)

    def _died(self) -> NotMeasured:
        code = self.child.ended(END_S)
        if code is None:
            return self._kill("garbage", "the worker closed its answers and went on running; it was ended.")
        how, said = how_it_ended(code), self.child.last_words()
        if how == "signal SIGKILL":
            who = "the worker was killed from outside, most likely by the system for lack of memory."
            return self._kill("memory", who + said)
        if code < 0:
            return self._kill("crash", f"the worker crashed ({how}).{said}")
        return self._kill("crash", f"the worker ended with {how} instead of answering.{said}")


def run_job(scratch: Path, request: Request, answer: type[A], timeout_s: float, memory_limit: int, room: Room | None = None) -> A:
    """Ask one thing of a fresh worker."""
    with Worker(scratch, memory_limit, room=room) as worker:
        return worker.ask(request, answer, timeout_s)
