"""What a long run did to a server: its memory on the way, and afterwards its latency beside that of a fresh one.

A machine shared with others drifts by tens of percent within a minute, and a slope of latency would be its slope. Whether the
model became slower is therefore asked of two servers in turns, the one that ran long and one just started: what the machine
does, it does to both.
"""

from __future__ import annotations

from dataclasses import replace

from gatekeeper.load.sender import Sender
from gatekeeper.load.stress import median_ms
from gatekeeper.load.watch import Watch
from gatekeeper.records.evidence import Soak

PAIRS, BLOCK_S = 10, 0.5
"""Turns, and the length of each."""


def soak(sender: Sender, rate: float, seconds: float, least: int = 1, most: int = 0) -> Soak:
    """The server scenario, while the memory of the server is read."""
    assert sender.server is not None
    with Watch(sender.server.memory) as watch:
        requests = sender.send("server", rate, seconds, least, most)
    return Soak(requests, watch.at_s, watch.values)


def beside(long: Soak, aged: Sender, fresh: Sender) -> Soak:
    """With the median latencies of both servers, one request at a time, in turns and the first of each pair changing."""
    fresh.send("single_stream", 1.0, BLOCK_S)  # the first answers of a server are its slowest
    aged_ms: list[float] = []
    fresh_ms: list[float] = []
    for pair in range(PAIRS):
        turns = [(aged_ms, aged), (fresh_ms, fresh)]
        for medians, sender in reversed(turns) if pair % 2 else turns:
            medians.append(median_ms(sender.send("single_stream", 1.0, BLOCK_S)))
    return replace(long, aged_ms=aged_ms, fresh_ms=fresh_ms)
