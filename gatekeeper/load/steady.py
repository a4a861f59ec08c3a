"""Requests at a steady rate until told to stop: traffic for what lasts as long as its evidence needs.

LoadGen draws a schedule of a length that is known before. A rollout has none: it ends by what is seen. So this draws the same
kind of schedule (Poisson arrivals, which wait for no answer) one gap after another, and sends with the same transport.
"""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from gatekeeper.load.generate import FAILED, OK, SHED, LoadTest, LoadTested
from gatekeeper.process.messages import Held

LOOK_S = 0.02
"""How often it looks whether to stop."""


class Steady(LoadTest, frozen=True, kw_only=True):
    """Send at `target_qps` until the file `stop` is there, or `duration_s` is over; `started` appears with the first request.

    `destination` is an .npz of arrays [n]: `start_ns` of the clock that all processes of a machine share, `latency_ns` from the
    intended start (0: no answer), and `ok`, `shed`.
    """

    stop: str
    started: str

    def answer(self, held: Held) -> LoadTested:
        """Send until it is time to stop."""
        return steady(self)


def steady(request: Steady) -> LoadTested:
    """Send, wait for what is on its way, and write what became of each."""
    import numpy as np

    from gatekeeper.load.http import Http

    starts: list[int] = []
    ends: list[int] = []
    outcomes: list[int] = []
    left = _Left()
    transport, stop, rng = Http(request), Path(request.stop), random.Random(request.seed)
    due = time.monotonic()
    end, looked = due + request.duration_s, due
    try:
        while due < end:
            while (wait := due - time.monotonic()) > 0:
                time.sleep(min(wait, LOOK_S))
            if (now := time.monotonic()) - looked > LOOK_S:
                looked = now
                if stop.exists():
                    break
            position = len(starts)
            starts.append(int(due * 1e9))
            ends.append(0)
            outcomes.append(FAILED)
            left.more()
            if not position:
                Path(request.started).touch()

            def done(outcome: int, position: int = position) -> None:
                ends[position], outcomes[position] = time.monotonic_ns(), outcome
                left.fewer()

            if left.count > request.outstanding:  # more are on their way than any server could hold: this one is not sent
                done(FAILED)
            else:
                transport.send(position % request.examples, done)
            due += rng.expovariate(request.target_qps)
        left.wait(request.request_timeout_ms / 1000 + 1)
    finally:
        transport.close()
    start, outcome = np.array(starts, np.int64), np.array(outcomes, np.int8)
    latency = np.where(outcome == OK, np.array(ends, np.int64) - start, 0)
    np.savez(request.destination, start_ns=start, latency_ns=latency, ok=outcome == OK, shed=outcome == SHED)
    return LoadTested(requests=len(starts), answered=int((outcome == OK).sum()))


class _Left:
    """How many are on their way."""

    def __init__(self) -> None:
        self.count, self.changed = 0, threading.Condition()

    def more(self) -> None:
        with self.changed:
            self.count += 1

    def fewer(self) -> None:
        with self.changed:
            self.count -= 1
            self.changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self.count == 0, timeout_s)
