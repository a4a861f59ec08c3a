"""What a server adds to the session it serves: both are measured in this run, in turns."""

from __future__ import annotations

import itertools
import queue
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tritonclient.http as triton
from kit.served import Served, serving
from kit.support import write_model
from onnx import helper, numpy_helper

from gatekeeper.frameworks._base import framework

CALLERS, ROUNDS, ROUND_S = 2, 6, 2.0
LAYERS, WIDTH, ROWS = 12, 512, 64  # some 5 ms with one thread; an image in, a vector out


def heavy(path: Path) -> Path:
    """An image of 64 x 64, a chain of matrix products, their mean."""
    generator = np.random.default_rng(0)
    sizes = [ROWS] + [WIDTH] * LAYERS
    weights = [
        numpy_helper.from_array((generator.standard_normal(pair) / 23).astype(np.float32), f"w{i}")
        for i, pair in enumerate(itertools.pairwise(sizes))
    ]
    nodes = [helper.make_node("MatMul", [f"t{i}" if i else "x", f"w{i}"], [f"t{i + 1}"]) for i in range(LAYERS)]
    nodes.append(helper.make_node("ReduceMean", [f"t{LAYERS}"], ["y"], axes=[0], keepdims=1))
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [ROWS, ROWS])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, WIDTH])
    graph = helper.make_graph(nodes, "chain", [x], [y], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def client(server: Served) -> Callable[[], Any]:
    """One caller with a connection of its own."""
    asked = triton.InferInput("x", [ROWS, ROWS], "FP32")
    asked.set_data_from_numpy(np.zeros((ROWS, ROWS), np.float32))
    connection = triton.InferenceServerClient(server.address)
    wanted = [triton.InferRequestedOutput("y", binary_data=True)]
    return lambda: connection.infer("heavy", [asked], outputs=wanted).as_numpy("y")


def per_second(makers: list[Callable[[], Callable[[], Any]]]) -> float:
    """Answers a second with every caller asking as fast as it is answered."""
    done: queue.SimpleQueue[int] = queue.SimpleQueue()
    end = time.perf_counter() + ROUND_S

    def ask(make: Callable[[], Callable[[], Any]]) -> None:
        call, count = make(), 0
        while time.perf_counter() < end:
            call()
            count += 1
        done.put(count)

    threads = [threading.Thread(target=ask, args=(make,)) for make in makers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done.get() for _ in makers) / ROUND_S


def p50_ms(call: Callable[[], Any], count: int = 60) -> float:
    times = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
        time.sleep(0.002)  # low load: the next one comes when nothing waits
    return statistics.median(times[5:])


def test_throughput_and_latency_beside_the_session(tmp_path: Path) -> None:
    path = heavy(tmp_path / "heavy.onnx")
    session = framework("onnx_runtime").open_session(path, 1, "cpu")
    feed = {"x": np.zeros((ROWS, ROWS), np.float32)}

    def direct() -> Any:
        return session.run(feed)

    with serving(path, "--workers", str(CALLERS)) as server, serving(path) as quiet:
        over = client(quiet)
        rates, added, alone = [], [], []
        for _ in range(ROUNDS):
            bare = per_second([lambda: direct] * CALLERS)
            served = per_second([lambda: client(server)] * CALLERS)
            rates.append(served / bare)
            mine, theirs = p50_ms(direct), p50_ms(over)
            alone.append(mine)
            added.append(theirs - mine)
    rate, more = statistics.median(rates), statistics.median(added)
    print(
        f"\nserve / session, {CALLERS} callers, a model of {statistics.median(alone):.1f} ms: throughput {rate:.2f} (>= 0.70), "
    )
    print(f"p50 at low load {more:+.2f} ms (<= +1.50 ms), by tritonclient over HTTP")
    assert rate >= 0.7
    assert more <= 1.5


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_requests_per_second_of_a_model_that_does_nothing(tmp_path: Path) -> None:
    write_model(tmp_path / "noop.onnx")
    numbers = ",".join("1" * 16)
    (tmp_path / "post.lua").write_text(
        f'wrk.method = "POST"\nwrk.body = \'{{"inputs":[{{"name":"x","shape":[1,16],"datatype":"FP32","data":[{numbers}]}}]}}\'\n'
    )
    with serving(tmp_path / "noop.onnx") as server:
        url = f"{server.url}/v2/models/noop/infer"
        done = subprocess.run(
            ["wrk", "-t1", "-c8", "-d5", "-s", str(tmp_path / "post.lua"), url], capture_output=True, text=True, check=True
        )
    assert "Non-2xx" not in done.stdout, done.stdout
    rate = float(done.stdout.split("Requests/sec:")[1].split()[0])
    print(f"\nserve, a model that does nothing: {rate:,.0f} requests/s by wrk on the same machine")
