"""HAProxy itself, before two small servers: weights, who is up, and that no answer is asked for twice."""

from __future__ import annotations

import http.client
import http.server
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from kit.haproxy import needs_haproxy

from gatekeeper.deploy import haproxy
from gatekeeper.deploy.haproxy import Colour, Control, Ports, Proxy, ProxyGone, configuration, free_ports, program
from gatekeeper.deploy.watching import read_line
from gatekeeper.errors import NotMeasured, UsageError


def test_a_machine_without_it_is_told_which_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(haproxy, "PLACES", ())
    monkeypatch.setattr(haproxy, "BROUGHT", "no_such_package")
    with pytest.raises(UsageError, match="apt-get install haproxy"):
        program()


def test_only_a_connection_that_was_refused_is_tried_again(tmp_path: Path) -> None:
    text = configuration(tmp_path, Ports(1, 2, 3), "127.0.0.1:4", "127.0.0.1:5", 10.0, "127.0.0.1:6", "word")
    assert [line.strip() for line in text.splitlines() if "retry-on" in line] == ["retry-on conn-failure"]


FEW = """\
import resource, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 512))
from gatekeeper.deploy.haproxy import Proxy

class Well(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

server = ThreadingHTTPServer(("127.0.0.1", 0), Well)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"127.0.0.1:{server.server_port}"
with Proxy(address, address):
    print("ready")
"""


@needs_haproxy
def test_where_few_files_may_be_open_it_takes_fewer_connections() -> None:
    """As under a shell's `ulimit -n`, or after a library has lowered its process's limit."""
    done = subprocess.run([sys.executable, "-c", FEW], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("ready\n", 0), done.stderr


@dataclass
class Small:
    """A server that counts what it is asked."""

    colour: Colour
    status: int = 200
    asked: int = 0
    port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def small(colour: Colour) -> Iterator[Small]:
    about = Small(colour)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200)

        def do_POST(self) -> None:
            about.asked += 1
            self.rfile.read(int(self.headers["content-length"]))
            self.answer(about.status)

        def answer(self, status: int) -> None:
            said = about.colour.encode()
            self.send_response(status)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        about.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        about.stop = server.shutdown  # type: ignore[attr-defined]
        about.close = server.server_close  # type: ignore[attr-defined]
        try:
            yield about
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Stand:
    blue: Small
    green: Small
    proxy: Proxy

    def post(self, times: int, port: int = 0) -> Counter[tuple[int, str]]:
        """Answers by status and colour."""
        found: Counter[tuple[int, str]] = Counter()
        for _ in range(times):
            link = http.client.HTTPConnection("127.0.0.1", port or self.proxy.ports.entry, timeout=10)
            link.request("POST", "/", b"x")
            answer = link.getresponse()
            found[answer.status, answer.read().decode()[:5]] += 1
            link.close()
        return found


@pytest.fixture
def stand() -> Iterator[Stand]:
    with ExitStack() as stack:
        blue, green = (stack.enter_context(small(colour)) for colour in Colour)
        proxy = stack.enter_context(Proxy(blue.address, green.address))
        proxy.log.settimeout(10)
        yield Stand(blue, green, proxy)


@needs_haproxy
def test_weights_move_the_traffic_and_it_says_who_answered(stand: Stand) -> None:
    assert stand.post(20) == {(200, "blue"): 20}
    stand.proxy.control.give_green(25)
    assert stand.post(40) == {(200, "blue"): 30, (200, "green"): 10}
    stand.proxy.control.give_green(100)
    assert stand.post(20) == {(200, "green"): 20}
    lines = [read_line(stand.proxy.log.recv(4096), stand.proxy.word) for _ in range(80)]
    assert Counter(line[0] for line in lines if line) == {Colour.BLUE: 50, Colour.GREEN: 30}
    sides = stand.proxy.control.sides()
    assert (sides[Colour.BLUE].requests, sides[Colour.GREEN].requests) == (50, 30)
    assert all(side.up for side in sides.values())


@needs_haproxy
def test_an_error_is_not_asked_again_elsewhere(stand: Stand) -> None:
    stand.green.status = 500
    stand.proxy.control.give_green(50)
    found = stand.post(20)
    assert set(found) == {(200, "blue"), (500, "green")} and found.total() == 20
    assert {"blue": stand.blue.asked, "green": stand.green.asked} == {colour: n for (_, colour), n in found.items()}


@needs_haproxy
def test_a_colour_whose_port_is_closed_loses_nothing_and_is_seen_to_be_down(stand: Stand) -> None:
    stand.proxy.control.give_green(50)
    stand.green.stop()  # type: ignore[attr-defined]
    stand.green.close()  # type: ignore[attr-defined]
    assert stand.post(40) == {(200, "blue"): 40}
    for _ in range(100):
        if not stand.proxy.control.sides()[Colour.GREEN].up:
            return
        stand.post(1)
    pytest.fail("HAProxy never said that green is down")


@needs_haproxy
def test_one_colour_is_asked_whatever_the_weights_are(stand: Stand) -> None:
    assert stand.post(3, stand.proxy.ports.green) == {(200, "green"): 3}
    assert stand.proxy.control.sides()[Colour.GREEN].requests == 0, "and it is no user's request"


@needs_haproxy
def test_a_proxy_that_was_killed_and_a_port_that_is_taken_are_said(stand: Stand) -> None:
    ports = free_ports()
    taken = Ports(stand.blue.port, ports.blue, ports.green)
    with pytest.raises(NotMeasured, match=r"(?s)HAProxy ended with 1\..*in use"):
        Proxy(stand.blue.address, stand.green.address, taken)
    os.kill(stand.proxy.process.pid, signal.SIGKILL)
    stand.proxy.process.wait()
    with pytest.raises(ProxyGone, match="does not answer any more"):
        stand.proxy.control.give_green(50)
    with pytest.raises(ProxyGone):
        Control(Path("/nowhere/at/all")).sides()
