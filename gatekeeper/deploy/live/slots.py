"""What stands on a host: HAProxy, and servers, with their files in a folder of the deploy's own. They outlive who started them.

All of it is in one file, written whole or not at all, before a process is started: whatever is killed, the next run finds it.
"""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gatekeeper.deploy.live.lasting import MODULE
from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.files import make_folder, open_itself, write_atomic
from gatekeeper.process.child import environment
from gatekeeper.serve.config import Served

if TYPE_CHECKING:
    import psutil

STATE, SERVED = "standing.json", "served"
READY_S, LOOK_S = 180.0, 2.0


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One server. `id` is of this very start of this artifact; its port is its own for as long as it stands."""

    id: str
    variant: str
    sha256: str
    served: Served

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.served.host}:{self.served.port}"


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """HAProxy: its folder, where it listens and whom it tells of requests."""

    folder: str
    entry: int
    blue: int
    green: int
    log: int
    word: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that stands. `blue` is the server that serves where the journal says nothing of it."""

    front: Front
    blue: str
    slots: dict[str, Slot]


def read(folder: Path) -> Standing | None:
    """What stands; None where nothing was deployed yet."""
    try:
        with open_itself(folder / STATE) as file:
            return msgspec.json.decode(file.read(), type=Standing)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{folder / STATE}: cannot be read: {error}. Name another folder with --state.") from None


def keep(folder: Path, standing: Standing) -> None:
    """On the disk when this returns."""
    write_atomic(folder / STATE, msgspec.json.format(msgspec.json.encode(standing)).decode() + "\n")


def free_port() -> int:
    """One that nothing listens on now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def start(folder: Path, slot: Slot) -> None:
    """Let it serve, unless it does; `NotMeasured` with its last words where it cannot."""
    if ready(slot):
        return
    for process in _processes(folder, slot.id):  # one that hangs, or is not ready yet: the next has its port
        _end(process, 0.0)
    file = _file(folder, slot.id)
    make_folder(file.parent)
    write_atomic(file, msgspec.json.encode(slot.served).decode())
    log = file.with_suffix(".log")
    with log.open("wb") as said:
        process_ = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(file)], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True, env=environment(slot.served.spec.threads),
        )  # fmt: skip
    end = time.monotonic() + READY_S
    while not ready(slot):
        if process_.poll() is not None or time.monotonic() > end:
            with suppress(ProcessLookupError):
                process_.kill()
            last = log.read_bytes()[-400:].decode("utf-8", "replace").strip().replace("\n", " | ")
            raise NotMeasured("crash", f"{slot.variant} does not serve: {last or 'it says nothing'}")
        time.sleep(0.05)


def ready(slot: Slot) -> bool:
    """Whether it answers that it can be asked."""
    try:
        connection = http.client.HTTPConnection(slot.served.host, slot.served.port, timeout=LOOK_S)
        connection.request("GET", f"/v2/models/{slot.served.name}/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def end_others(folder: Path, kept: set[str]) -> None:
    """End servers of this folder that are none of these, once they have answered what they have."""
    for slot_id, process in _all(folder):
        if slot_id not in kept:
            _end(process, 30.0)


def memory(folder: Path, slot_id: str) -> int:
    """Bytes that it holds; 0 where it is gone."""
    from gatekeeper.process.memory import resident

    return sum(resident(process.pid) for process in _processes(folder, slot_id))


def _end(process: psutil.Process, patience_s: float) -> None:
    import psutil

    with suppress(psutil.Error):
        if patience_s:
            process.send_signal(signal.SIGTERM)
            with suppress(psutil.TimeoutExpired):
                process.wait(patience_s)
        process.kill()


def _processes(folder: Path, slot_id: str) -> list[psutil.Process]:
    return [process for name, process in _all(folder) if name == slot_id]


def _all(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Servers of this folder that run, by what they were started with: a process id may be another's by now."""
    import psutil

    own = str(folder.resolve() / SERVED)
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if MODULE in words and Path(words[-1]).parent == Path(own) and process.status() != psutil.STATUS_ZOMBIE:
                yield Path(words[-1]).stem, process


def _file(folder: Path, slot_id: str) -> Path:
    return folder.resolve() / SERVED / f"{slot_id}.json"
