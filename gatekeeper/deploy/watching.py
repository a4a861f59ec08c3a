"""What a rollout looks at: HAProxy's line for each request, its word on who is up, the memory of both, and answers to questions.

A number that cannot be had is not made up: it is missing, or the window says that it means nothing.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket

import msgspec

from gatekeeper.deploy.asking import Pair
from gatekeeper.deploy.haproxy import Colour, Control, Side
from gatekeeper.records.rollout import Asked, Seen, Window

UNWRITTEN, UNWRITTEN_SHARE = 30, 0.1
"""How many requests HAProxy may have counted and not (yet) written a line of, beside those it has not answered."""


@dataclass
class Tally:
    """Requests of one colour."""

    requests: int = 0
    errors: int = 0
    slow: int = 0

    def add(self, ok: bool, milliseconds: float, slow_ms: float) -> None:
        """One of them. What has no good answer came late as well."""
        self.requests += 1
        self.errors += not ok
        self.slow += not ok or not milliseconds <= slow_ms

    def seen(self) -> Seen:
        """As it is judged."""
        return Seen(requests=self.requests, errors=self.errors, slow=self.slow)


def read_line(line: bytes, word: str) -> tuple[Colour, bool, float] | None:
    """Who answered, whether well, and milliseconds; None where nobody was asked, or the line is not HAProxy's of a request."""
    try:
        told, server, status, milliseconds, ended = line.decode().strip().split(" ")
        colour, took = Colour(server), float(milliseconds)
    except ValueError:
        return None
    if not secrets.compare_digest(told.encode(), word.encode()):
        return None
    return colour, 200 <= int(status) < 400 and ended.startswith("--"), took


def questions(pairs: list[Pair]) -> Asked:
    """Those that both answered, and what their answers were."""
    both = [pair for pair in pairs if pair.same is not None]
    labelled = [pair for pair in both if pair.green_right is not None and pair.blue_right is not None]
    return Asked(
        pairs=len(both),
        differ=sum(not pair.same for pair in both),
        labelled=len(labelled),
        green_wrong=sum(not pair.green_right and bool(pair.blue_right) for pair in labelled),
        blue_wrong=sum(not pair.blue_right and bool(pair.green_right) for pair in labelled),
    )


@dataclass
class Watcher:
    """Reads while the rollout runs. Use `start` and `stop`, or `with`."""

    control: Control
    log: socket
    word: str  # that its lines begin with
    slow_ms: float | None
    asked: Path | None = None  # lines of `Pair`
    memory: Callable[[Colour], int] | None = None
    began: float = field(default_factory=time.monotonic)
    tallies: dict[Colour, Tally] = field(default_factory=lambda: {colour: Tally() for colour in Colour})
    written: int = 0  # lines since it began
    latest: dict[Colour, Side] | None = None
    first: int | None = None  # what HAProxy had counted when it began
    read: int = 0  # bytes of `asked`

    def __enter__(self) -> Watcher:
        self.log.settimeout(0.05)
        self._lock, self._over = threading.Lock(), threading.Event()
        self._drop_old_lines()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def look(self, step: int, count_asked: bool = False) -> Window:
        """What was seen since the last look. With `count_asked` questions count as requests, where users have none for green."""
        sides = self.control.sides()
        pairs = self._pairs()
        with self._lock:
            tallies, self.tallies = self.tallies, {colour: Tally() for colour in Colour}
            written = self.written
        if count_asked:
            for pair in pairs:
                tallies[Colour.GREEN].add(pair.green_ok, pair.green_ms, self.slow_ms or float("inf"))
                tallies[Colour.BLUE].add(pair.blue_ok, pair.blue_ms, self.slow_ms or float("inf"))
        memory = {colour: self.memory(colour) if self.memory else None for colour in Colour}
        return Window(
            step=step,
            seconds=round(time.monotonic() - self.began, 3),
            green=tallies[Colour.GREEN].seen(),
            blue=tallies[Colour.BLUE].seen(),
            asked=questions(pairs),
            green_up=sides[Colour.GREEN].up,
            blue_up=sides[Colour.BLUE].up,
            green_bytes=memory[Colour.GREEN] or None,
            blue_bytes=memory[Colour.BLUE] or None,
            problem=self._problem(sides, written),
        )

    def _problem(self, sides: dict[Colour, Side], written: int) -> str:
        """Why the numbers mean nothing, where they do not."""
        before, self.latest = self.latest, sides
        counted = sum(side.requests for side in sides.values())
        if self.first is None:
            self.first = counted - written
        if before and any(sides[colour].requests < before[colour].requests for colour in Colour):
            self.first = counted - written
            return "a counter of HAProxy went backwards: it was started anew"
        missing = counted - self.first - written - sum(side.current for side in sides.values())
        if missing > UNWRITTEN + UNWRITTEN_SHARE * (counted - self.first):
            return f"HAProxy counted {missing} requests more than it wrote lines of"
        return ""

    def _pairs(self) -> list[Pair]:
        if self.asked is None or not self.asked.exists():
            return []
        with self.asked.open("rb") as file:
            file.seek(self.read)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self.read += whole
        return [msgspec.json.decode(line, type=Pair) for line in data[:whole].splitlines()]

    def _drop_old_lines(self) -> None:
        """Of requests before the rollout."""
        self.log.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.log.recv(4096)
        self.log.settimeout(0.05)
        self._pairs()

    def _listen(self) -> None:
        slow = float("inf") if self.slow_ms is None else self.slow_ms
        while not self._over.is_set():
            try:
                line = self.log.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            if (found := read_line(line, self.word)) is not None:
                with self._lock:
                    self.tallies[found[0]].add(found[1], found[2], slow)
                    self.written += 1
