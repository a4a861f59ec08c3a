"""What the load generator itself bears, and how late it is: everything is measured in this run, beside wrk's figure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.served import serving
from kit.support import install_framework, spec, write_model

from gatekeeper.load.generate import LoadTest, LoadTested
from gatekeeper.process.hold import reaching
from gatekeeper.process.isolate import run_job

ROUNDS, SECONDS, CALLERS = 4, 2.0, 32
RATE, LAG_MS = 2000, 1.0

RESPONDER = """
import asyncio, re
ANSWER = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: 2\\r\\n\\r\\n{}"
LENGTH = re.compile(rb"content-length: *(\\d+)", re.I)
class Responder(asyncio.Protocol):
    rest = b""
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        self.rest += data
        while (end := self.rest.find(b"\\r\\n\\r\\n")) >= 0:
            whole = end + 4 + int(LENGTH.search(self.rest, 0, end)[1])
            if len(self.rest) < whole: break
            self.rest = self.rest[whole:]
            self.transport.write(ANSWER)
async def main():
    server = await asyncio.get_running_loop().create_server(Responder, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
try:
    from uvloop import run
except ModuleNotFoundError:
    from asyncio import run
run(main())
"""


@contextmanager
def responding() -> Iterator[str]:
    """A server that does nothing but answer: what is left is the generator's limit."""
    process = subprocess.Popen([sys.executable, "-c", RESPONDER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.communicate()


def loaded(scenario: Any, rate: float, **more: Any) -> dict[str, Any]:
    """One scenario in a worker of its own, on feeds of 16 numbers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "inputs.npz", x=np.ones((8, 1, 16), np.float32))
        request = LoadTest(
            scenario=scenario, spec=spec(folder, "noop"), inputs=str(folder / "inputs.npz"), examples=8, target_qps=rate,
            duration_s=SECONDS, destination=str(folder / "requests.npz"), folder=name, seed=1, request_timeout_ms=10_000,
            outstanding=CALLERS if scenario == "offline" else 1024, **more,
        )  # fmt: skip
        run_job(folder, request, LoadTested, 120, 4 << 30, reaching(folder))
        with np.load(folder / "requests.npz") as found:
            return {name: found[name] for name in found.files}


def per_second(found: dict[str, Any]) -> float:
    """Answers a second, to the last of them."""
    ok = found["ok"]
    return float(ok.sum() / (found["start_ns"] + found["latency_ns"])[ok].max() * 1e9)


def closed(**more: Any) -> float:
    """Answers a second where the next request is sent as soon as there is room: the best of several."""
    rate, found = float(RATE), []
    for _ in range(ROUNDS):
        found.append(per_second(loaded("offline", rate, **more)))
        rate = max(found)  # so many that it lasts
    return max(found)


def lag_ms(rate: float, **more: Any) -> tuple[float, float]:
    """p50 and p99 of how late requests are sent at a rate, of the quietest of several runs. Every one is answered."""
    found = []
    for _ in range(ROUNDS):
        run = loaded("server", rate, **more)
        assert run["ok"].all()
        found.append(np.percentile(run["lag_ns"], [99, 50]) / 1e6)
    p99, p50 = min(map(tuple, found))
    return p50, p99


def wrk(url: str, folder: Path) -> float:
    """wrk's figure with as many connections, the best of several; 0 where it is not installed."""
    if shutil.which("wrk") is None:
        return 0.0
    numbers = ",".join("1" * 16)
    script = folder / "post.lua"
    body = f'{{"inputs":[{{"name":"x","shape":[1,16],"datatype":"FP32","data":[{numbers}]}}]}}'
    script.write_text(f"wrk.method = \"POST\"\nwrk.body = '{body}'\n")
    words = ["wrk", "-t1", f"-c{CALLERS}", f"-d{SECONDS:.0f}", "-s", str(script), f"{url}/v2/models/noop/infer"]
    found = []
    for _ in range(ROUNDS):
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert "Non-2xx" not in done.stdout, done.stdout
        found.append(float(done.stdout.split("Requests/sec:")[1].split()[0]))
    return max(found)


def report(what: str, mine: float, peer: float, half: float, lag: tuple[float, float]) -> None:
    beside = f"{mine / peer:.2f} of wrk's {peer:,.0f}/s (which sends JSON)" if peer else "wrk is not installed"
    print(f"{what}: {mine:,.0f} requests/s, {beside}; lag at {half:,.0f}/s p50 {lag[0]:.3f} ms, p99 {lag[1]:.3f} ms")


def busy() -> str:
    return f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"


def test_what_the_generator_bears_over_http(tmp_path: Path) -> None:
    with responding() as url:
        print(f"\n{busy()} before the run")
        mine, peer = closed(url=url, name="noop"), wrk(url, tmp_path)
        lag, least = lag_ms(RATE / 2, url=url, name="noop"), lag_ms(RATE, url=url, name="noop")
    report("generator over HTTP, a responder that does nothing (the generator's own limit)", mine, peer, RATE / 2, lag)
    print(f"lag at {RATE:,}/s p50 {least[0]:.3f} ms, p99 {least[1]:.3f} ms, every request answered")
    assert mine >= RATE
    assert lag[1] < LAG_MS


def test_what_the_generator_bears_of_our_server(tmp_path: Path) -> None:
    write_model(tmp_path / "noop.onnx")
    with serving(tmp_path / "noop.onnx") as server:
        print(f"\n{busy()} before the run")
        mine, peer = closed(url=server.url, name="noop"), wrk(server.url, tmp_path)
        half = min(mine, RATE) / 2
        lag = lag_ms(half, url=server.url, name="noop")
    report("generator over HTTP, gatekeeper serve and a model that does nothing (the server's limit)", mine, peer, half, lag)
    assert lag[1] < LAG_MS


def test_what_the_generator_bears_in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = install_framework(tmp_path / "plugin", "noop")
    monkeypatch.setenv("PYTHONPATH", found["PYTHONPATH"])
    direct = {"callers": 3}
    print(f"\n{busy()} before the run")
    mine, lag = closed(**direct), lag_ms(RATE / 2, **direct)
    print(f"generator in process, a session that does nothing: {mine:,.0f} requests/s; "
          f"lag at {RATE / 2:,.0f}/s p50 {lag[0]:.3f} ms, p99 {lag[1]:.3f} ms")  # fmt: skip
    assert mine >= RATE
    assert lag[1] < LAG_MS
