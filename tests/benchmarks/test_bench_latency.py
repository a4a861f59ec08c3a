"""Latency gatekeeper reports / latency of a bare `session.run` loop, same model, same run: 1.00 +- 0.02."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gatekeeper import protocol
from gatekeeper.measure.isolate import Worker
from gatekeeper.stats.rounds import ratio_interval

ROUNDS, BLOCKS, BLOCK_NS = 24, 12, 25_000_000


class Bare:
    """The bare loop as a process that can be suspended like a worker."""

    def __init__(self, model: Path, inputs: Path, threads: int):
        script = Path(__file__).with_name("bare_loop.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(model), str(inputs), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.block()
        os.kill(self.process.pid, signal.SIGSTOP)

    def block(self) -> list[int]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{BLOCK_NS}\n")
        self.process.stdin.flush()
        found: list[int] = json.loads(self.process.stdout.readline())
        return found

    def awake(self) -> list[int]:
        os.kill(self.process.pid, signal.SIGCONT)
        found = self.block()
        os.kill(self.process.pid, signal.SIGSTOP)
        return found


@pytest.mark.parametrize("name", ["digits-mlp", "digits-cnn"])
def test_bench_latency_against_a_bare_loop(name: str, example: Callable[[str], Path], tmp_path: Path) -> None:
    folder = example(name)
    model, key = folder / "model.onnx", {"digits-mlp": "X", "digits-cnn": "image"}[name]
    np.savez(tmp_path / "inputs.npz", **{key: np.load(folder / "eval.npz")["x"][:32, None]})
    order, ours, theirs = random.Random(0), [], []
    for _ in range(ROUNDS):
        bare = Bare(model, tmp_path / "inputs.npz", 1)
        with Worker(tmp_path, 8 << 30, 1) as worker:
            request = protocol.Open(
                framework="onnx_runtime", artifact=str(model), threads=1, device="cpu", inputs=str(tmp_path / "inputs.npz")
            )
            worker.ask(request, protocol.Done, 60)
            worker.ask(protocol.Load(), protocol.Loaded, 60)
            worker.suspend()
            mine: list[int] = []
            its: list[int] = []
            for _ in range(BLOCKS):
                for arm in order.sample(["ours", "theirs"], 2):
                    if arm == "theirs":
                        its += bare.awake()
                        continue
                    worker.resume()
                    mine += worker.ask(protocol.Block(duration_ns=BLOCK_NS, least=1), protocol.Timed, 60, quiet=True).latencies_ns
                    worker.suspend()
        bare.process.kill()
        bare.process.communicate()
        ours.append(float(np.median(mine)))
        theirs.append(float(np.median(its)))
    ratio = ratio_interval(ours, theirs, 0.025)
    print(
        f"\n{name}: gatekeeper {np.median(ours) / 1e6:.4f} ms / bare loop {np.median(theirs) / 1e6:.4f} ms = "
        f"{ratio.observed:.3f} [{ratio.lower:.3f}, {ratio.upper:.3f}], wanted 1.00 +- 0.02"
    )
    assert abs(ratio.observed - 1) <= 0.02
