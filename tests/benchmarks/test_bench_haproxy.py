"""What HAProxy adds to the p99 of a server that has half of what it bears: straight and through, in turns in one run.

Requests come at random times whether others were answered or not; every half second they go the other way, in an order that is
drawn for each pair of blocks. Where others use the machine run it before them: `chrt -r 1 python -m pytest ...`.
GATEKEEPER_BENCH_ROUNDS=3 for a quick look; with GATEKEEPER_BENCH_STATE=folder it goes on from where an earlier run was.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.haproxy import needs_haproxy
from kit.kept import Kept
from kit.subjects import CLASSES, FEATURES, Shelf, node, write_onnx
from kit.support import spec

from gatekeeper.deploy.haproxy import Proxy
from gatekeeper.load.generate import OK
from gatekeeper.load.http import Http
from gatekeeper.load.sender import Sender
from gatekeeper.load.steady import Steady
from gatekeeper.making.subject import Subject
from gatekeeper.serve.behind import NAME, served
from gatekeeper.serve.child import Server
from gatekeeper.stats.rounds import mean_interval

ROUNDS, BLOCKS, BLOCK_S, ALONE_S = int(os.environ.get("GATEKEEPER_BENCH_ROUNDS", "20")), 12, 0.5, 4.0
MOST = 1.10
SIZES = {"heavy": (12, 512, 64), "light": (8, 384, 48)}
"""Layers, their width, and rows: with one thread some five milliseconds, and one."""
EXAMPLES, TIMEOUT_MS = 6, 10_000.0
WAYS = ("straight", "through")


def chain(shelf: Shelf, layers: int, width: int, rows: int) -> Subject:
    """Matrix products over many rows."""
    rng, sizes = np.random.default_rng(0), [FEATURES, *[width] * layers, CLASSES]
    weights = {f"w{i}": (rng.standard_normal(pair) / 20).astype(np.float32) for i, pair in enumerate(itertools.pairwise(sizes))}
    last = len(weights) - 1
    nodes = [node("MatMul", ["x" if i == 0 else f"t{i}", f"w{i}"], ["y" if i == last else f"t{i + 1}"]) for i in range(last + 1)]
    path = write_onnx(shelf.folder / "chain.onnx", nodes, **weights)
    inputs = shelf.folder / "chain.npz"
    np.savez(inputs, x=rng.standard_normal((EXAMPLES, rows, FEATURES)).astype(np.float32))
    return shelf.subject(path, inputs=inputs, model=path, spec=spec(path))


def asked(subject: Subject, url: str, folder: Path) -> Steady:
    """What a transport must know."""
    return Steady(
        scenario="server", spec=subject.spec, inputs=str(subject.inputs), examples=EXAMPLES, target_qps=1.0, duration_s=1.0,
        destination="", folder=str(folder), outstanding=1024, request_timeout_ms=TIMEOUT_MS, url=url, name=NAME, stop="",
        started="",
    )  # fmt: skip


def capacity(subject: Subject, server: Server) -> float:
    """Answers a second where all requests are there at once."""
    found = Sender(subject, server, 0).send("offline", 1.0, ALONE_S)
    return float(found.ok.sum() / ((found.start_ns + found.latency_ns).max() / 1e9))


def one_round(transports: dict[str, Http], rate: float, number: int) -> dict[str, Any]:
    """Latencies in milliseconds of each way, and how many requests had no good answer."""
    rng, began = random.Random(number), time.monotonic()
    order = [way for _ in range(BLOCKS // 2) for way in rng.sample(WAYS, 2)]
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    left, lost, lock = [0], [0], threading.Lock()
    due = began
    while (block := int((due - began) / BLOCK_S)) < len(order):
        time.sleep(max(0.0, due - time.monotonic()))
        with lock:
            left[0] += 1

        def done(outcome: int, way: str = order[block], due: float = due) -> None:
            with lock:
                left[0] -= 1
                lost[0] += outcome != OK
                took[way].append(1000 * (time.monotonic() - due))

        transports[order[block]].send(rng.randrange(EXAMPLES), done)
        due += rng.expovariate(rate)
    while left[0]:
        time.sleep(0.01)
    return took | {"lost": lost[0]}


@needs_haproxy
@pytest.mark.parametrize("what", SIZES)
def test_what_haproxy_adds_at_half_of_what_a_server_bears(what: str, tmp_path: Path) -> None:
    shelf, kept = Shelf(tmp_path), Kept(f"haproxy-{what}")
    subject = chain(shelf, *SIZES[what])
    with Server(served(subject), tmp_path) as server:
        server.wait_ready(60)
        with Proxy(server.address, server.address) as proxy:
            urls = dict(zip(WAYS, (server.url, proxy.url), strict=True))
            transports = {way: Http(asked(subject, url, tmp_path)) for way, url in urls.items()}
            rounds: list[Any] = []
            for number in range(ROUNDS):
                rate = kept.once(f"capacity {number}", partial(capacity, subject, server)) / 2
                rounds.append(kept.once(f"round {number}", partial(one_round, transports, rate, number)) | {"rate": rate})
            for each in transports.values():
                each.close()
    told(what, rounds)


def told(what: str, rounds: list[Any]) -> None:
    whole = [each for each in rounds if not each["lost"]]  # where the machine was another's, nothing is known of p99
    p99 = {way: [float(np.percentile(each[way], 99)) for each in whole] for way in WAYS}
    found = mean_interval([math.log(b / a) for a, b in zip(p99["straight"], p99["through"], strict=True)], 0.025)
    every = {way: np.concatenate([each[way] for each in whole]) for way in WAYS}
    pooled = {way: [float(np.percentile(own, share)) for share in (50, 99)] for way, own in every.items()}
    rate = float(np.median([each["rate"] for each in whole]))
    print(f"\n{what}, {rate:.0f} requests/s (half of what it bore), {len(whole)} rounds ({len(rounds) - len(whole)} left out):")
    print(f"p50 and p99 straight {pooled['straight'][0]:.2f} and {pooled['straight'][1]:.2f} ms,", end=" ")
    print(f"through HAProxy {pooled['through'][0]:.2f} and {pooled['through'][1]:.2f} ms, {every['through'].size:,} requests;")
    ratio = f"{math.exp(found.observed):.3f} [{math.exp(found.lower):.3f}, {math.exp(found.upper):.3f}]"
    print(f"p99 through / straight, round by round: {ratio} (<= {MOST:.2f})")
    if what == "heavy":  # of a model that takes no time every step on the way is a large part
        assert math.exp(found.observed) <= MOST
