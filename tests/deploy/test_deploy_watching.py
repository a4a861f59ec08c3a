"""What a rollout sees: lines of HAProxy, its counters, and the answers to questions."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gatekeeper.deploy.asking import Pair, alike, compared
from gatekeeper.deploy.haproxy import Colour, Side
from gatekeeper.deploy.watching import Watcher, questions, read_line

SAME = Pair(True, None, None, True, True, 1.0, 1.0)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"green 200 14 ----\n", (Colour.GREEN, True, 14.0)),
        (b"blue 500 3 ----\n", (Colour.BLUE, False, 3.0)),
        (b"green 422 3 ----\n", (Colour.GREEN, False, 3.0)),
        (b"green 502 3 SH--\n", (Colour.GREEN, False, 3.0)),
        (b"green -1 3 CD--\n", (Colour.GREEN, False, 3.0)),
        (b"<NOSRV> 503 0 SC--\n", None),
        (b"Proxy models started.\n", None),
        (b"\xff\xfe\n", None),
        (b"green x y z\n", None),
    ],
)
def test_a_line_says_who_answered_and_how(line: bytes, found: object) -> None:
    assert read_line(b"w " + line, "w") == found
    assert read_line(b"other " + line, "w") is None, "a line that somebody else wrote"


class Counters:
    """What HAProxy would say, from numbers that a test sets."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(Colour, 0)
        self.up = dict.fromkeys(Colour, True)

    def sides(self) -> dict[Colour, Side]:
        return {colour: Side(self.up[colour], 50, 0, self.counts[colour]) for colour in Colour}


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, socket.socket]]:
    out, into = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with out, into:
        yield out, into


def say(out: socket.socket, counters: Counters, *lines: tuple[Colour, int, int]) -> None:
    for colour, status, took in lines:
        counters.counts[colour] += 1
        out.send(f"w {colour} {status} {took} ----\n".encode())
    time.sleep(0.2)


def test_requests_are_counted_by_colour_and_once(wire: tuple[socket.socket, socket.socket]) -> None:
    counters = Counters()
    wire[0].send(b"w green 500 1 ----\n")  # of before the rollout
    with Watcher(counters, wire[1], "w", 100.0) as watcher:  # type: ignore[arg-type]
        watcher.look(0)
        say(wire[0], counters, (Colour.GREEN, 200, 5), (Colour.GREEN, 500, 5), (Colour.GREEN, 200, 101), (Colour.BLUE, 200, 5))
        window = watcher.look(0)
        green, blue = window.green, window.blue
        assert (green.requests, green.errors, green.slow) == (3, 1, 2) and (blue.requests, blue.errors) == (1, 0)
        assert not window.problem and watcher.look(0).green.requests == 0


def test_counters_that_go_backwards_and_lines_that_are_lost_mean_nothing(wire: tuple[socket.socket, socket.socket]) -> None:
    counters = Counters()
    with Watcher(counters, wire[1], "w", 100.0) as watcher:  # type: ignore[arg-type]
        watcher.look(0)
        say(wire[0], counters, *[(Colour.GREEN, 200, 5)] * 5)
        assert not watcher.look(0).problem
        counters.counts = dict.fromkeys(Colour, 0)
        assert "went backwards" in watcher.look(0).problem
        assert not watcher.look(0).problem
        counters.counts[Colour.BLUE] += 100
        assert "100 requests more than it wrote lines of" in watcher.look(0).problem


def test_a_colour_that_is_down_and_memory_that_cannot_be_read(wire: tuple[socket.socket, socket.socket]) -> None:
    counters = Counters()
    counters.up[Colour.GREEN] = False
    with Watcher(counters, wire[1], "w", 100.0, memory=lambda colour: 0) as watcher:  # type: ignore[arg-type]
        window = watcher.look(0)
    assert not window.green_up and window.blue_up and window.green_bytes is None


def test_questions_are_read_as_they_come_and_half_a_line_waits(tmp_path: Path, wire: tuple[socket.socket, socket.socket]) -> None:
    place, line = tmp_path / "asked", msgspec.json.encode(SAME) + b"\n"
    with Watcher(Counters(), wire[1], "w", 100.0, asked=place) as watcher:  # type: ignore[arg-type]
        assert watcher.look(0).asked.pairs == 0
        place.write_bytes(line * 2 + line[:10])
        assert watcher.look(0).asked.pairs == 2
        place.write_bytes(line * 3)
        window = watcher.look(0, count_asked=True)
        assert window.asked.pairs == 1 and window.green.requests == window.blue.requests == 1


def test_pairs_with_no_answer_are_no_pairs_and_labels_count_where_both_answered() -> None:
    lost = Pair(None, None, True, False, True, 1.0, 1.0)
    worse, better = Pair(False, False, True, True, True, 1.0, 1.0), Pair(False, True, False, True, True, 1.0, 1.0)
    found = questions([SAME, lost, worse, worse, better])
    assert (found.pairs, found.differ, found.labelled, found.green_wrong, found.blue_wrong) == (4, 3, 3, 2, 1)


def test_answers_are_alike_by_class_by_numbers_and_by_text() -> None:
    scores, close = np.array([[0.1, 0.9]], np.float32), np.array([[0.4, 0.6]], np.float32)
    assert compared(close, scores, True, 1) == Pair(True, True, True, True, True, 0.0, 0.0)
    assert compared(close[:, ::-1], scores, True, 1).same is False
    assert compared(None, scores, True, 1).same is None and compared(scores, None, False, None).same is None
    assert compared(np.array([[np.nan, 0.9]], np.float32), scores, True, 1).same is False
    numbers = np.arange(8, dtype=np.float32)
    assert alike(numbers * 1.1, numbers) and not alike(numbers[::-1], numbers) and not alike(numbers[:4], numbers)
    assert not alike(numbers * np.nan, numbers) and alike("a b", "a b") and not alike("a b", "a c")
