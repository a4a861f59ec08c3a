"""What HAProxy adds to the p99 of a server that has half of what it bears: straight and through, in turns in one run.

GATEKEEPER_BENCH_ROUNDS=3 for a quick look. Each round sends the same requests at the same times both ways, in an order that is
drawn. GATEKEEPER_BENCH_STATE=folder goes on from where an earlier run was.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import statistics
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.haproxy import needs_haproxy
from kit.kept import Kept
from kit.subjects import CLASSES, FEATURES, Shelf, node, write_onnx

from gatekeeper.deploy.haproxy import Proxy
from gatekeeper.load.sender import Sender
from gatekeeper.making.subject import Subject
from gatekeeper.serve.behind import NAME, served
from gatekeeper.serve.child import Server
from gatekeeper.stats.rounds import mean_interval

ROUNDS, ROUND_S = int(os.environ.get("GATEKEEPER_BENCH_ROUNDS", "16")), 6.0
MOST = 1.10
LAYERS, WIDTH, ROWS = 12, 512, 64


@dataclass(frozen=True)
class Front:
    """What a sender must know of a server."""

    url: str
    name: str = NAME


def heavy(shelf: Shelf) -> Subject:
    """A chain of matrix products over 64 rows: some milliseconds with one thread."""
    rng, sizes = np.random.default_rng(0), [FEATURES, *[WIDTH] * LAYERS, CLASSES]
    weights = {f"w{i}": (rng.standard_normal(pair) / 23).astype(np.float32) for i, pair in enumerate(itertools.pairwise(sizes))}
    last = len(weights) - 1
    nodes = [node("MatMul", ["x" if i == 0 else f"t{i}", f"w{i}"], ["y" if i == last else f"t{i + 1}"]) for i in range(last + 1)]
    path = write_onnx(shelf.folder / "heavy.onnx", nodes, **weights)
    inputs = shelf.folder / "heavy.npz"
    np.savez(inputs, x=rng.standard_normal((6, ROWS, FEATURES)).astype(np.float32))
    return shelf.subject(path, inputs=inputs, model=path)


def p99_ms(subject: Subject, url: str, rate: float, seed: int) -> float:
    found = Sender(subject, Front(url), seed).send("server", rate, ROUND_S)  # type: ignore[arg-type]
    assert found.ok.all(), "a request was lost"
    return float(np.percentile(found.latency_ns, 99)) / 1e6


def capacity(subject: Subject, url: str) -> float:
    """Answers a second where all requests are there at once."""
    found = Sender(subject, Front(url), 0).send("offline", 1.0, ROUND_S)  # type: ignore[arg-type]
    return float(found.ok.sum() / ((found.start_ns + found.latency_ns).max() / 1e9))


def both(subject: Subject, ways: dict[str, str], rate: float, number: int) -> dict[str, float]:
    order = random.Random(number).sample(list(ways), len(ways))
    return {way: p99_ms(subject, ways[way], rate, number) for way in order}


@needs_haproxy
@pytest.mark.parametrize("what", ["heavy", "small"])
def test_what_haproxy_adds_at_half_of_what_a_server_bears(what: str, tmp_path: Path) -> None:
    shelf, kept = Shelf(tmp_path), Kept(f"haproxy-{what}")
    subject = heavy(shelf) if what == "heavy" else shelf.subject(shelf.original)
    with Server(served(subject), tmp_path) as server:
        server.wait_ready(60)
        with Proxy(server.address, server.address) as proxy:
            ways = {"straight": server.url, "through": proxy.url}
            most = kept.once("capacity", partial(capacity, subject, server.url))
            rounds: list[Any] = [kept.once(f"round {i}", partial(both, subject, ways, most / 2, i)) for i in range(ROUNDS)]
    logs = [math.log(each["through"] / each["straight"]) for each in rounds]
    found = mean_interval(logs, 0.025)
    added = statistics.median(each["through"] - each["straight"] for each in rounds)
    straight = statistics.median(each["straight"] for each in rounds)
    said = f"{math.exp(found.observed):.3f} [{math.exp(found.lower):.3f}, {math.exp(found.upper):.3f}]"
    print(f"\n{what}, {most / 2:.0f} of {most:.0f} requests/s, {ROUNDS} rounds of {ROUND_S:.0f} s:")
    print(f"p99 {straight:.2f} ms straight; through HAProxy {said} times that, {added:+.2f} ms (medians)")
    if what == "heavy":  # of a server that does next to nothing every step on the way is a large part
        assert math.exp(found.observed) <= MOST
