"""What injects faults: it does what it counts, and counts what it does."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekeeper.deploy.sidecar import Injected, Sidecar


@pytest.fixture
def upstream() -> Iterator[str]:
    """A server that answers with what it was asked, twice."""

    class Echo(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = 2 * self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def ask(address: str, said: str) -> tuple[int, str]:
    link = http.client.HTTPConnection(address, timeout=20)
    link.request("POST", "/v2/models/model/infer", said)
    answer = link.getresponse()
    found = answer.status, answer.read().decode()
    link.close()
    return found


def test_it_does_what_it_counts(upstream: str, tmp_path: Path) -> None:
    with Sidecar(upstream, tmp_path) as sidecar:
        large = "x" * 300_000
        assert ask(sidecar.address, "a") == (200, "aa") and ask(sidecar.address, large) == (200, 2 * large)
        assert sidecar.arrived().requests == 2
        sidecar.inject(Injected(wrong=1.0))
        assert [ask(sidecar.address, "b") for _ in range(3)] == [(200, "aa")] * 3
        assert sidecar.arrived().wrong == 3
        sidecar.inject(Injected(errors=0.5))
        statuses = [ask(sidecar.address, "c")[0] for _ in range(40)]
        assert statuses.count(500) == sidecar.arrived().errors and 5 < statuses.count(500) < 35
        before = sidecar.memory()
        sidecar.inject(Injected(leak_bytes=20 << 20))
        assert [ask(sidecar.address, "d") for _ in range(3)] == [(200, "dd")] * 3
        assert sidecar.arrived().leaked_bytes == 60 << 20 and sidecar.memory() - before > 50 << 20
        sidecar.inject(Injected(slow=1.0, delay_s=0.1))
        assert ask(sidecar.address, "e") == (200, "ee") and sidecar.arrived().slow == 1


def test_only_questions_to_the_model_are_struck(upstream: str, tmp_path: Path) -> None:
    with Sidecar(upstream, tmp_path) as sidecar:
        sidecar.inject(Injected(errors=1.0))
        link = http.client.HTTPConnection(sidecar.address, timeout=20)
        link.request("GET", "/v2/health/ready")
        assert link.getresponse().status == 404, "as its server answers"
        link.close()
        assert sidecar.arrived().errors == sidecar.arrived().requests == 0


def test_a_server_that_is_gone_is_gone_behind_it_too(tmp_path: Path) -> None:
    with Sidecar("127.0.0.1:9", tmp_path) as sidecar:
        with pytest.raises(http.client.RemoteDisconnected):
            ask(sidecar.address, "a")
        assert sidecar.arrived().requests == 1
