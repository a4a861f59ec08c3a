"""The server as clients see it: a public client, the published description, bad requests, deaths, and its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests
import tritonclient.http as triton
import uvicorn
from jsonschema import Draft4Validator, ValidationError
from jsonschema.validators import extend
from kit.served import DIES, HANGS, RAISES, REFUSES, SLOW, Served, asked, request, row, serving
from kit.support import write_model
from tritonclient.utils import InferenceServerException

from gatekeeper.frameworks._base import framework
from gatekeeper.serve import server as server_module

SCHEMAS = json.loads((Path(__file__).parents[1] / "data" / "open-inference.json").read_text(encoding="utf-8"))


# The description has a type that JSON has not, for tensors that travel as bytes.
Validator = extend(Draft4Validator, type_checker=Draft4Validator.TYPE_CHECKER.redefine("bytes", lambda *_: False))


def fits(name: str, data: Any) -> None:
    """Hold data against the protocol's published description."""
    Validator({"$ref": f"#/components/schemas/{name}", **SCHEMAS}).validate(data)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    write_model(folder / "digits.onnx")
    return folder / "digits.onnx"


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Served]:
    """A real model in ONNX Runtime."""
    with serving(model, "--task", "tabular_classification", "--max-body", "1MB") as running:
        yield running


@pytest.fixture(scope="module")
def moody(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A model that does what the first number asks for."""
    env = asked(tmp_path_factory.mktemp("asked"))
    with serving(model, "--framework", "asked", "--queue", "4", "--timeout", "3s", env=env) as running:
        yield running


def infer(server: Served, first: float = 1.0, **more: Any) -> requests.Response:
    return requests.post(f"{server.url}/v2/models/digits/infer", json=request(row(first)), timeout=60, **more)


def examples(count: int = 20) -> Any:
    return np.random.default_rng(0).standard_normal((count, 16)).astype(np.float32)


def ask(server: Served, x: Any, binary: bool) -> Any:
    with triton.InferenceServerClient(server.address) as client:
        tensor = triton.InferInput("x", list(x.shape), "FP32")
        tensor.set_data_from_numpy(x, binary_data=binary)
        wanted = triton.InferRequestedOutput("y", binary_data=binary)
        return client.infer("digits", [tensor], outputs=[wanted]).as_numpy("y")


@pytest.mark.parametrize("binary", [True, False])
def test_a_public_client_gets_what_the_session_answers(server: Served, model: Path, binary: bool) -> None:
    x = examples()
    expected = framework("onnx_runtime").open_session(model, 1, "cpu").run({"x": x})[0]
    np.testing.assert_array_equal(ask(server, x, binary), expected)


def test_a_public_client_reads_health_and_metadata(server: Served) -> None:
    with triton.InferenceServerClient(server.address) as client:
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("digits")
        assert not client.is_model_ready("other")
        about, own = client.get_model_metadata("digits"), client.get_server_metadata()
        with pytest.raises(InferenceServerException, match="no model 'other'"):
            client.get_model_metadata("other")
    fits("MetadataModelResponse", about)
    with pytest.raises(ValidationError):
        fits("MetadataModelResponse", about | {"inputs": [{"name": "x"}]})
    fits("MetadataServerResponse", own)
    assert about["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 16]}]


def test_answers_and_errors_fit_the_published_description(server: Served) -> None:
    asked = request(examples(3)) | {"id": "a-7", "parameters": {"own": 1}}
    fits("InferenceRequest", asked)
    for path in ("digits", "digits/versions/1"):
        answer = requests.post(f"{server.url}/v2/models/{path}/infer", json=asked, timeout=60).json()
        fits("InferenceResponse", answer)
        assert answer["id"] == "a-7" and answer["outputs"][0]["shape"] == [3, 4]
    for url, data in (("digits", b"{"), ("other", b"{}"), ("digits/versions/2", b"{}"), ("..%2f..%2fetc%2fpasswd", b"{}")):
        refused = requests.post(f"{server.url}/v2/models/{url}/infer", data=data, timeout=60)
        assert refused.status_code in (400, 404)
        fits("InferenceErrorResponse", refused.json())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/digits/infer", 405),
        ("POST", "/v2/models/digits", 405),
        ("GET", "/v2/models/digits/nothing", 404),
        ("GET", "/", 404),
        ("POST", "/v2/models/digits/generate", 400),
        ("POST", "/v2/models/digits/generate_stream", 400),
    ],
)
def test_what_is_not_served_says_so(server: Served, method: str, path: str, status: int) -> None:
    answer = requests.request(method, server.url + path, timeout=60)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_body_that_is_too_large_is_refused_declared_or_not(server: Served) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 65536

    url = f"{server.url}/v2/models/digits/infer"
    assert requests.post(url, data=b" " * 1_500_000, timeout=60).status_code == 413
    try:
        assert requests.post(url, data=endless(), timeout=60).status_code == 413
    except requests.ConnectionError:
        pass  # the server may have hung up on the rest before the client read the answer
    assert infer(server).status_code == 200


def test_what_is_no_http_does_not_stop_it(server: Served) -> None:
    host, port = server.address.split(":")
    for said in (
        b"\0" * 4096,
        b"POST /v2 HTTP/9\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"x" * 200_000,
        b"GET /%ff%00 HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=10) as raw:
            raw.sendall(said)
            raw.settimeout(1)
            try:
                assert b" 500 " not in raw.recv(4096)
            except (TimeoutError, ConnectionError):
                pass
    assert infer(server).status_code == 200


def test_metrics_count_what_was_asked(server: Served) -> None:
    before = metrics(server)
    infer(server)
    requests.post(f"{server.url}/v2/models/digits/infer", data=b"{", timeout=60)
    after = metrics(server)
    for name, more in (
        ('gatekeeper_requests_total{code="200"}', 1),
        ('gatekeeper_requests_total{code="400"}', 1),
        ("gatekeeper_request_seconds_count", 2),
        ("gatekeeper_batch_size_count", 1),
        ("gatekeeper_confidence_count", 1),
    ):
        assert after[name] - before.get(name, 0) == more, name
    assert after["gatekeeper_queue_depth"] == 0


def test_an_answer_that_was_given_is_given_again_and_an_error_is_not(model: Path, tmp_path: Path) -> None:
    with serving(model, "--framework", "asked", "--cache", "2", env=asked(tmp_path)) as running:

        def hits() -> float:
            return metrics(running)["gatekeeper_cache_hits_total"]

        first = infer(running)
        assert hits() == 0 and infer(running).json() == first.json() and hits() == 1
        assert infer(running, 3.0).json() != first.json() and hits() == 1, "another question"
        assert infer(running, RAISES).status_code == infer(running, RAISES).status_code == 500 and hits() == 1
        infer(running, 4.0)
        infer(running)
        assert hits() == 1, "two are kept, and the one that nobody asked for longest is gone"


def test_what_gatekeeper_asks_itself_is_answered_by_the_model(model: Path, tmp_path: Path) -> None:
    """A load test, and the questions of a rollout, have the same examples again and again: kept answers would be measured."""
    from gatekeeper.load.http import FRESH

    with serving(model, "--framework", "asked", "--cache", "2", env=asked(tmp_path)) as running:
        for _ in range(3):
            infer(running)
        before = metrics(running)["gatekeeper_cache_hits_total"]
        assert before == 2
        assert infer(running, headers=FRESH).json() == infer(running).json()
        assert metrics(running)["gatekeeper_cache_hits_total"] == before + 1


def metrics(server: Served) -> dict[str, float]:
    lines = requests.get(f"{server.url}/metrics", timeout=60).text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


def test_an_exception_of_the_model_is_an_answer(moody: Served) -> None:
    failed, refused = infer(moody, RAISES), infer(moody, REFUSES)
    assert (failed.status_code, refused.status_code) == (500, 400)
    assert "the kernel fell over" in failed.json()["error"] and "that is no input" in refused.json()["error"]
    assert infer(moody).json()["outputs"][0]["data"] == [2.0] * 4


def test_a_request_that_kills_its_session_is_tried_once_more_and_then_named(moody: Served) -> None:
    before = metrics(moody)["gatekeeper_session_restarts_total"]
    answer = infer(moody, DIES)
    assert answer.status_code == 500 and "signal SIGKILL" in answer.json()["error"]
    assert metrics(moody)["gatekeeper_session_restarts_total"] - before == 2
    assert infer(moody).status_code == 200


def test_a_session_that_hangs_is_ended(moody: Served) -> None:
    assert infer(moody, HANGS).status_code == 504
    deadline = time.monotonic() + 30
    while infer(moody).status_code != 200:
        assert time.monotonic() < deadline


def test_a_session_that_is_killed_under_traffic_loses_no_request(moody: Served) -> None:
    def one(_: int) -> int:
        return infer(moody).status_code

    with ThreadPoolExecutor(3) as pool:
        codes = pool.map(one, range(60))
        for process in moody.sessions():
            process.kill()
    assert set(codes) == {200}


def test_a_session_that_dies_while_nothing_is_asked_is_missed_by_nobody(moody: Served) -> None:
    for wait in (0.0, 0.001, 0.01, 0.3):  # the next request comes before the server knows of the death, and after
        assert infer(moody).status_code == 200
        for process in moody.sessions():
            process.kill()
        time.sleep(wait)
        assert infer(moody).status_code == 200, wait


def test_more_than_the_queue_holds_is_refused_at_once(moody: Served) -> None:
    with ThreadPoolExecutor(12) as pool:
        codes = [answer.status_code for answer in pool.map(lambda _: infer(moody, SLOW), range(12))]
    assert codes.count(503) >= 4 and codes.count(200) >= 4 and set(codes) == {200, 503}
    assert infer(moody).status_code == 200


def test_told_to_stop_it_answers_what_it_accepted(model: Path, tmp_path: Path) -> None:
    with serving(model, "--framework", "asked", env=asked(tmp_path)) as running:
        sessions = running.sessions()
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(infer, running, SLOW) for _ in range(4)]
            deadline = time.monotonic() + 30
            while metrics(running)["gatekeeper_queue_depth"] < 3:
                assert time.monotonic() < deadline
            assert running.stop() == 0
        assert [answer.result().status_code for answer in answers] == [200] * 4
        psutil.wait_procs(sessions, timeout=10)
        assert not any(session.is_running() for session in sessions)


@pytest.mark.parametrize(("ago", "waits"), [([0.0, 0.1, 60.0], 3), ([60.0], 1), ([0.0] * 9 + [60.0], 10)])
def test_told_to_stop_it_goes_on_while_somebody_asks(ago: list[float], waits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is made just then would be reset, and its request lost: nobody sends it again."""
    told = iter(ago)
    asked_for, closed = [], []

    def latest() -> float:
        asked_for.append(closed)
        return time.monotonic() - next(told)

    async def close(self: uvicorn.Server, sockets: Any = None) -> None:
        closed.append(len(asked_for))

    monkeypatch.setattr(uvicorn.Server, "shutdown", close)
    monkeypatch.setattr(server_module, "STAY_S", 600.0)
    monkeypatch.setattr(server_module, "QUIET_S", 30.0)
    asyncio.run(server_module._Server(uvicorn.Config(lambda: None), latest).shutdown())  # type: ignore[arg-type]
    assert closed == [waits]


def test_told_to_stop_it_does_not_go_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    async def close(self: uvicorn.Server, sockets: Any = None) -> None:
        closed.append(True)

    monkeypatch.setattr(uvicorn.Server, "shutdown", close)
    monkeypatch.setattr(server_module, "STAY_S", 0.1)
    asyncio.run(server_module._Server(uvicorn.Config(lambda: None), time.monotonic).shutdown())  # type: ignore[arg-type]
    assert closed == [True]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a session ends when it next reads")
def test_killed_it_leaves_no_session(model: Path) -> None:
    with serving(model) as running:
        sessions = running.sessions()
        assert sessions
        os.kill(running.process.pid, signal.SIGKILL)
        gone, alive = psutil.wait_procs(sessions, timeout=20)
        assert gone and not alive


def test_requests_answered_together_are_answered_as_alone(model: Path, server: Served) -> None:
    x = examples(64)
    alone = [ask(server, each[None], True) for each in x]
    with serving(model, "--batch", "8", "--batch-delay", "20") as running:
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda each: ask(running, each[None], True), x))
        counted = metrics(running)
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5)
    assert counted["gatekeeper_batch_size_sum"] == 64
    assert counted["gatekeeper_batch_size_count"] < 64


def test_a_slow_body_is_given_up(model: Path) -> None:
    with serving(model) as running:
        host, port = running.address.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as raw:
            raw.sendall(b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
            assert b" 408 " in raw.recv(4096)


def test_two_servers_do_not_disturb_one_another(model: Path, server: Served) -> None:
    with serving(model, "--name", "second") as other:
        assert other.url != server.url
        threads = [threading.Thread(target=infer, args=(server,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        answer = requests.post(f"{other.url}/v2/models/second/infer", json=request(row()), timeout=60)
        for thread in threads:
            thread.join()
    assert answer.status_code == 200
    assert infer(server).status_code == 200
