"""Latency gatekeeper reports / latency of a bare `session.run` loop, same model, same run: 1.00 +- 0.02.

Both loops run on one session in one process, in short blocks in random order: what differs between two processes
(several percent, either way) is not the harness's own cost.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.support import spec

from gatekeeper.measure.session import LoadModel, Open
from gatekeeper.measure.timing import Block, Timer
from gatekeeper.process.messages import Held
from gatekeeper.stats.rounds import ratio_interval

ROUNDS, BLOCKS, BLOCK_NS = 24, 10, 20_000_000


def bare(session: Any, feeds: list[dict[str, Any]]) -> list[int]:
    """What anyone would write."""
    for feed in feeds[:3]:
        session.run(None, feed)
    found: list[int] = []
    start = time.perf_counter_ns()
    while time.perf_counter_ns() - start < BLOCK_NS:
        before = time.perf_counter_ns()
        session.run(None, feeds[len(found) % len(feeds)])
        found.append(time.perf_counter_ns() - before)
    return found


@pytest.mark.parametrize("name", ["digits-mlp", "digits-cnn"])
def test_bench_latency_against_a_bare_loop(name: str, example: Callable[[str], Path], tmp_path: Path) -> None:
    folder = example(name)
    key = {"digits-mlp": "X", "digits-cnn": "image"}[name]
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, **{key: np.load(folder / "eval.npz")["x"][:32, None]})
    held = Held()
    Open(spec=spec(folder / "model.onnx", "onnx_runtime", threads=1), inputs=str(inputs)).answer(held)
    LoadModel().answer(held)
    timer = held.get(Timer, "it is not loaded")
    session: Any = timer.session
    order, ours, theirs = random.Random(0), [], []
    for _ in range(ROUNDS):
        mine: list[int] = []
        its: list[int] = []
        for _ in range(BLOCKS):
            for arm in order.sample(["ours", "theirs"], 2):
                if arm == "ours":
                    mine += timer.block(Block(duration_ns=BLOCK_NS, least=1)).latencies_ns
                else:
                    its += bare(session._session, timer.feeds)
        ours.append(float(np.median(mine)))
        theirs.append(float(np.median(its)))
    ratio = ratio_interval(ours, theirs, 0.025)
    print(
        f"\n{name}: gatekeeper {np.median(ours) / 1e6:.4f} ms / bare loop {np.median(theirs) / 1e6:.4f} ms = "
        f"{ratio.observed:.3f} [{ratio.lower:.3f}, {ratio.upper:.3f}], wanted 1.00 +- 0.02"
    )
    assert abs(ratio.observed - 1) <= 0.02
