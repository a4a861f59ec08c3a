"""The HAProxy of a host: started once, spoken to by every deploy, and started again where it has been killed."""

from __future__ import annotations

import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatekeeper.deploy.haproxy import READY_S, Colour, Control, Ports, ProxyGone, configuration, free_ports, program
from gatekeeper.deploy.live.slots import Front
from gatekeeper.errors import NotMeasured, UsageError

TIMEOUT_S = 30.0


def new(entry: int) -> Front:
    """Where the next one will be; 0: any entry that is free."""
    ports = free_ports()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        log = held.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="gk-")  # short: the name of a socket has no more than 107 bytes
    return Front(
        folder=folder, entry=entry or ports.entry, blue=ports.blue, green=ports.green, log=log, word=secrets.token_hex(8)
    )


class Gate:
    """A front that stands."""

    def __init__(self, front: Front):
        self.front, self.control = front, Control(Path(front.folder) / "admin")

    @property
    def url(self) -> str:
        """Where users go."""
        return f"http://127.0.0.1:{self.front.entry}"

    def asking(self, colour: Colour) -> str:
        """Where one colour is asked, whatever the weights are."""
        return f"http://127.0.0.1:{self.front.blue if colour is Colour.BLUE else self.front.green}"

    @property
    def alive(self) -> bool:
        """Whether it answers."""
        try:
            self.control.sides()
        except ProxyGone:
            return False
        return True

    def start(self, blue: str, green: str, share: int) -> None:
        """Start it, with green's share in percent; addresses are host:port."""
        front, folder = self.front, Path(self.front.folder)
        folder.mkdir(mode=0o700, exist_ok=True)
        ports = Ports(front.entry, front.blue, front.green)
        text = configuration(folder, ports, blue, green, TIMEOUT_S, f"127.0.0.1:{front.log}", front.word, share)
        (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [program(), "-db", "-f", str(folder / "haproxy.cfg")], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + READY_S
        while not self.alive:
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                words = (folder / "said").read_bytes()[:600].decode("utf-8", "replace").strip().replace("\n", " | ")
                raise UsageError(f"HAProxy does not start at port {front.entry}: {words}. Choose another --port, or --state.")
            time.sleep(0.02)

    def point(self, colour: Colour, address: str) -> None:
        """Where a colour is, from now on: for users and for questions."""
        host, _, port = address.rpartition(":")
        self.control.say(
            ";".join(f"set server {place}/{colour} addr {host} port {port}" for place in ("models", f"ask_{colour}"))
        )
        for place in ("models", f"ask_{colour}"):
            if f" {host} " not in (said := self._line(place, colour)) or not f" {said} ".count(f" {port} "):
                raise NotMeasured("garbage", f"HAProxy did not take the address of {colour}: {said[:200]}")

    def wait_up(self, colour: Colour) -> None:
        """Until its health checks pass."""
        end = time.monotonic() + READY_S
        while not self.control.sides()[colour].up:
            if time.monotonic() > end:
                raise NotMeasured("timeout", f"{colour} did not come up behind HAProxy within {READY_S:.0f} s.")
            time.sleep(0.02)

    def _line(self, place: str, colour: Colour) -> str:
        lines = self.control.say(f"show servers state {place}").splitlines()
        return next((f" {line} " for line in lines if f" {colour} " in line), "")

    @contextmanager
    def listening(self) -> Iterator[socket.socket]:
        """What it says of requests."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
            log.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            try:
                log.bind(("127.0.0.1", self.front.log))
            except OSError as error:
                raise NotMeasured("taken", f"port {self.front.log}, where HAProxy tells of requests: {error.strerror}.") from None
            yield log
