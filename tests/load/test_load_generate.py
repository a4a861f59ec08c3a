"""The load generator, in real workers: on sessions in process, on real servers, on servers that err, and on a full disk."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from kit.support import eventually, install_framework, spec, write_model

from gatekeeper.errors import NotMeasured
from gatekeeper.load.generate import LoadTest, LoadTested
from gatekeeper.models.files import assess
from gatekeeper.process.hold import reaching
from gatekeeper.process.isolate import run_job
from gatekeeper.serve.child import Server
from gatekeeper.serve.config import Served

SLOW, RAISES, SLOW_S = 111, 888, 0.3
OVER = pytest.mark.parametrize("over", [pytest.param("in_process", marks=pytest.mark.thorough), "http"])
SCENARIOS = pytest.mark.parametrize("scenario", ["single_stream", "server", "offline"])
MEMORY = 1 << 30


@pytest.fixture(scope="module", autouse=True)
def _logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The framework `logs` is installed."""
    env = install_framework(tmp_path_factory.mktemp("plugin") / "plugin", "logs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", env["PYTHONPATH"])
        yield


@contextmanager
def served(folder: Path, **changes: Any) -> Iterator[Server]:
    """A `gatekeeper serve` of the model that notes its inputs in `folder / "seen"`."""
    write_model(folder / "model.onnx")
    about = Served(
        name="m", spec=spec(folder / "seen", "logs"), model=assess(folder / "model.onnx"), **changes,
    )  # fmt: skip
    with Server(about, folder) as server:
        server.wait_ready(60)
        yield server


def loaded(place: Path, /, scenario: Any = "server", firsts: list[int] | None = None, **more: Any) -> dict[str, Any]:
    """One scenario in a worker; the session in process notes what it sees in `place / "seen"` too."""
    values = firsts or [1, 2, 3, 4]
    x = np.zeros((len(values), 1, 16), np.float32)
    x[:, 0, 0] = values
    np.savez(place / "inputs.npz", x=x)
    settings: dict[str, Any] = {
        "scenario": scenario, "inputs": str(place / "inputs.npz"), "examples": len(values), "target_qps": 60.0,
        "duration_s": 0.5, "destination": str(place / "requests.npz"), "folder": str(place), "seed": 7,
        "request_timeout_ms": 5000.0, "outstanding": 4 if scenario == "offline" else 256,
    }  # fmt: skip
    where = {"spec": spec(place / "seen", "logs"), "name": "m"}
    answer = run_job(place, LoadTest(**(settings | where | more)), LoadTested, 300, MEMORY, reaching(place))
    with np.load(place / "requests.npz") as found:
        arrays = {name: found[name] for name in found.files}
    assert answer.requests == arrays["ok"].size and answer.answered == arrays["ok"].sum()
    assert arrays["start_ns"][0] == 0 and (np.diff(arrays["start_ns"]) >= 0).all(), "not in the order of the schedule"
    assert not (arrays["ok"] & arrays["shed"]).any()
    assert (arrays["latency_ns"][arrays["ok"]] > 0).all() and (arrays["latency_ns"][~arrays["ok"]] == 0).all()
    return arrays | {"unsent": answer.unsent}


def seen(folder: Path, over: str) -> list[int]:
    """What the model was asked; in process it is asked once before, which nobody counts."""
    asked = [int(line) for line in (folder / "seen").read_text().split()]
    return asked[1:] if over == "in_process" else asked


@contextmanager
def somewhere(over: str, folder: Path, **changes: Any) -> Iterator[dict[str, Any]]:
    """What a request says of where the model is."""
    if over == "in_process":
        yield {}
        return
    with served(folder, **changes) as server:
        yield {"url": server.url}


@OVER
def test_each_request_is_sent_once_and_the_same_for_the_same_seed(over: str, tmp_path: Path) -> None:
    with somewhere(over, tmp_path) as where:
        for scenario in ("single_stream", "server", "offline"):
            (tmp_path / "seen").write_text("")
            found = loaded(tmp_path, scenario, **where)
            assert found["ok"].all() and not found["shed"].any()
            asked = seen(tmp_path, over)
            assert len(asked) == found["ok"].size >= 16
            assert set(asked) == {1, 2, 3, 4}
            if scenario == "server":
                assert found["ok"].size == 30  # 60/s for half a second
                assert (found["lag_ns"] >= 0).all()
                (tmp_path / "seen").write_text("")
                again = loaded(tmp_path, scenario, **where)
                np.testing.assert_array_equal(again["start_ns"], found["start_ns"])
                assert seen(tmp_path, over) == asked
                other = loaded(tmp_path, scenario, seed=8, **where)
                assert other["ok"].size == 30 and (other["start_ns"] != found["start_ns"]).any()
            elif scenario == "offline":
                assert not found["start_ns"].any(), "all are due at once"
                few = loaded(tmp_path, scenario, most_requests=10, **where)
                assert few["ok"].size == 10
            else:
                assert (np.diff(found["start_ns"]) >= found["latency_ns"][:-1]).all(), "one after the other"


@OVER
def test_what_the_model_raises_fails_that_request_and_no_other(over: str, tmp_path: Path) -> None:
    with somewhere(over, tmp_path) as where:
        found = loaded(tmp_path, firsts=[RAISES, 1, 2, RAISES, 3], **where)
    assert not found["shed"].any()
    assert [asked != RAISES for asked in seen(tmp_path, over)] == found["ok"].tolist()
    assert 0 < found["ok"].sum() < found["ok"].size


@OVER
def test_latency_is_counted_from_the_intended_start(over: str, tmp_path: Path) -> None:
    """A slow request delays those behind it, which are due meanwhile: their wait is part of their latency."""
    with somewhere(over, tmp_path) as where:
        found = loaded(tmp_path, firsts=[SLOW, 1, 2, 3, 4, 5], **where)
    assert found["ok"].all()
    slow = np.array(seen(tmp_path, over)) == SLOW
    start, end = found["start_ns"], found["start_ns"] + found["latency_ns"]
    assert slow.any() and (found["latency_ns"][slow] >= 1e9 * SLOW_S).all()
    waited = 0
    for i in np.flatnonzero(slow):
        behind = (start > start[i] + 5e6) & (start < end[i] - 5e6)
        assert (end[behind] >= end[i] - 5e6).all()
        waited += int(behind.sum())
    assert waited, "nothing was due meanwhile: the generator waited for the answer"


def test_a_server_that_refuses_has_shed_them(tmp_path: Path) -> None:
    with served(tmp_path, queue=1) as server:
        found = loaded(tmp_path, firsts=[SLOW], url=server.url)
    assert (found["ok"] | found["shed"]).all()
    assert found["ok"].sum() >= 1 and found["shed"].sum() >= 20


def test_what_is_too_much_to_be_on_its_way_is_never_sent_and_nobody_refused_it(tmp_path: Path) -> None:
    found = loaded(tmp_path, firsts=[SLOW], outstanding=2)
    assert found["ok"].sum() >= 2 and not found["shed"].any()
    assert found["unsent"] == found["ok"].size - found["ok"].sum() > 0


def test_a_server_that_dies_fails_what_it_had_and_what_follows(tmp_path: Path) -> None:
    with served(tmp_path) as server, ThreadPoolExecutor(1) as pool:
        running = pool.submit(loaded, tmp_path, url=server.url, duration_s=2.0)
        assert eventually(lambda: len(seen(tmp_path, "http")) >= 10)
        server.kill()
        found = running.result(60)
    assert found["ok"].size == 120 and not found["shed"].any()
    ok = found["ok"]
    assert ok[:9].all() and not ok[-20:].any()


@contextmanager
def answering(said: bytes, close: bool = False) -> Iterator[str]:
    """A server of one thread for each connection, which answers always the same."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    opened: list[socket.socket] = []

    def talk(connection: socket.socket) -> None:
        rest = b""
        with connection:
            while data := _received(connection):
                rest += data
                while (end := rest.find(b"\r\n\r\n")) >= 0:
                    size = int(rest[:end].lower().split(b"content-length:")[1].split(b"\r\n")[0])
                    if len(rest) < end + 4 + size:
                        break
                    rest = rest[end + 4 + size :]
                    try:
                        connection.sendall(said)
                    except OSError:
                        return
                    if close:
                        return

    def accept() -> None:
        while True:
            try:
                opened.append(listening.accept()[0])
            except OSError:
                return
            threading.Thread(target=talk, args=(opened[-1],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()
    for connection in opened:
        connection.close()


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except OSError:
        return b""


GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("said", "close", "outcome"),
    [
        (GOOD, False, "ok"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}", False, "ok"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", False, "ok"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + GOOD, False, "ok"),
        (b"HTTP/1.1 503 no\r\ncontent-length: 0\r\n\r\n", False, "shed"),
        (b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n", False, "failed"),
        (b"HTTP/1.1 201 OK\r\ncontent-length: 0\r\n\r\n", False, "failed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}", True, "failed"),
        (b"what?\r\n\r\n", False, "failed"),
        (b"", True, "failed"),
    ],
    ids=["good", "says it closes", "chunked", "hints", "503", "500", "201", "cut short", "garbage", "hangs up"],
)
def test_what_an_answer_counts_as(said: bytes, close: bool, outcome: str, tmp_path: Path) -> None:
    with answering(said, close) as url:
        found = loaded(tmp_path, url=url, duration_s=0.2, target_qps=100.0)
    counted = {"ok": found["ok"], "shed": found["shed"], "failed": ~(found["ok"] | found["shed"])}
    assert {name: int(of.sum()) for name, of in counted.items()} == {name: 20 if name == outcome else 0 for name in counted}


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    found = loaded(tmp_path, url=url, duration_s=0.2, target_qps=100.0)
    assert found["ok"].size == 20 and not (found["ok"] | found["shed"]).any()


@SCENARIOS
def test_a_server_that_never_answers_fails_every_request(scenario: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as deaf:  # the system takes the connections, and nobody reads them
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        found = loaded(tmp_path, scenario, url=url, duration_s=0.1, target_qps=400.0, request_timeout_ms=200.0)
    assert found["ok"].size >= (1 if scenario == "single_stream" else 40)
    assert not (found["ok"] | found["shed"]).any()


@pytest.mark.parametrize(("duration", "most"), [(0.3, 0), (3600.0, 5000)])
def test_a_rate_that_nobody_can_send_ends(duration: float, most: int, tmp_path: Path) -> None:
    with answering(GOOD) as url:
        found = loaded(tmp_path, url=url, duration_s=duration, target_qps=1e6, most_requests=most, outstanding=64)
    assert 1000 < found["ok"].size <= (most or 300_000)
    assert found["ok"].any() and not found["shed"].any()
    assert found["unsent"] == found["ok"].size - found["ok"].sum() > 0


@SCENARIOS
def test_one_example_is_enough(scenario: str, tmp_path: Path) -> None:
    found = loaded(tmp_path, scenario, firsts=[5], duration_s=0.2)
    assert found["ok"].size >= 10 and found["ok"].all() and set(seen(tmp_path, "in_process")) == {5}


@pytest.mark.parametrize("where", ["folder", "destination"])
def test_a_folder_that_cannot_be_written_to(where: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(NotMeasured, match="Free some space") as caught:
        loaded(tmp_path, duration_s=0.1, **{where: str(tmp_path / "file" / "requests.npz")})
    assert caught.value.kind == "disk"


@pytest.mark.skipif(os.name != "posix", reason="a limit of the size of files")
@pytest.mark.parametrize("limit", [4_000, 200_000])
def test_a_disk_that_is_full_is_no_result(limit: int, tmp_path: Path) -> None:
    """Nothing can be written after some bytes: in the trace's head, or in the middle of it."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(NotMeasured, match="Free some space") as caught:
            loaded(tmp_path, target_qps=4000.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.kind == "disk"
    assert not (tmp_path / "requests.npz").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is full")
def test_half_a_result_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "requests.npz").symlink_to("/dev/full")
    with pytest.raises(NotMeasured, match="No space left on device") as caught:
        loaded(tmp_path, duration_s=0.1)
    assert caught.value.kind == "disk"
    assert not (tmp_path / "requests.npz").is_symlink()


def test_a_generator_that_is_killed_is_no_result(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(loaded, tmp_path, duration_s=60.0)
        kill_when(lambda: (tmp_path / "seen").exists() and len(seen(tmp_path, "in_process")) > 3, "gatekeeper.process.worker")
        with pytest.raises(NotMeasured, match="killed"):
            running.result(120)
    assert not (tmp_path / "requests.npz").exists()
    assert [child for child in psutil.Process().children(recursive=True) if "gatekeeper.process.worker" in child.cmdline()] == []


def kill_when(ready: Callable[[], bool], module: str) -> None:
    assert eventually(ready)
    for child in psutil.Process().children(recursive=True):
        if module in child.cmdline():
            child.kill()


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal")
def test_control_c_leaves_nothing(tmp_path: Path) -> None:
    script = f"""
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell ignores for what it runs in the background
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_load_generate import loaded, served
with served(Path({str(tmp_path)!r})) as server:
    loaded(Path({str(tmp_path)!r}), url=server.url, duration_s=60.0)
"""
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ["PYTHONPATH"]])
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": paths}, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        start_new_session=True,
    )  # fmt: skip
    try:
        told = tmp_path / "seen"
        assert eventually(lambda: process.poll() is not None or (told.exists() and len(seen(tmp_path, "http")) > 3))
        assert process.poll() is None
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) == 3, "a server, its session, a generator"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
        assert process.returncode not in (0, None), "it was ended, and did not come to its own end"
        assert psutil.wait_procs(family, timeout=120)[1] == []
    finally:
        process.kill()
        process.communicate()
    assert not (tmp_path / "requests.npz").exists()


def test_texts(tmp_path: Path) -> None:
    """A text model writes as many tokens as asked for, in process and over HTTP."""
    from kit.subjects import Shelf
    from kit.tiny_llm import write_llama

    from gatekeeper.frameworks._base import ORIGINAL, OptimizeJob, framework
    from gatekeeper.serve.behind import served as about

    source = write_llama(tmp_path / "llama")
    (tmp_path / "gguf").mkdir()
    job = OptimizeJob(
        source=source,
        destination=tmp_path / "gguf",
        technique=ORIGINAL,
        device="cpu",
        vnni=False,
        calibration=None,
        original=None,
    )
    framework("llama_cpp").optimize(job)
    subject = Shelf(tmp_path).text(tmp_path / "gguf", "llama_cpp", source)
    settings: dict[str, Any] = {
        "inputs": str(subject.inputs),
        "examples": 2,
        "target_qps": 20.0,
        "new_tokens": 4,
        "spec": subject.spec,
    }
    assert loaded(tmp_path, **settings)["ok"].tolist() == [True] * 10
    with Server(about(subject, name="m"), tmp_path) as server:
        server.wait_ready(60)
        over = loaded(tmp_path, **settings, url=server.url, prompts=["The quick", "Grüße aus"])
        none = loaded(tmp_path, **settings, url=server.url, prompts=["The quick", ""])
    assert over["ok"].tolist() == [True] * 10
    assert 0 < none["ok"].sum() < 10 and not none["shed"].any(), "a text that is empty is refused"
