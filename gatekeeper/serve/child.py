"""A server in a process of its own: started, watched, stopped and killed from here.

`python -m gatekeeper.serve.child` is that process. It reads what it serves on standard input and says its URL on standard output.
"""

from __future__ import annotations

import signal
import sys
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from gatekeeper.errors import GatekeeperError, NotMeasured
from gatekeeper.process import memory
from gatekeeper.process.child import Child, how_it_ended
from gatekeeper.process.inside import begin
from gatekeeper.serve.config import SESSION, Served

if TYPE_CHECKING:
    import psutil

MODULE = "gatekeeper.serve.child"
LEAVE_S = 5.0


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """The one line a server says: where it is, or why it is not there."""

    url: str = ""
    error: str = ""
    kind: str = "crash"


class Server(AbstractContextManager["Server"]):
    """One server. Use as a context manager: neither it nor its sessions outlive the block."""

    def __init__(self, served: Served, scratch: Path):
        self.served, self.name = served, served.name
        self.url = ""
        self.child = Child(MODULE, "server", scratch)
        with suppress(OSError):  # it is dead: waiting for it will say how
            self.child.say(msgspec.json.encode(served) + b"\n")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until requests can be answered; `NotMeasured` where that never comes."""
        line = self.child.lines.get(timeout_s)
        if line is None:
            self.close()
            raise NotMeasured("timeout", f"the server was not ready within {timeout_s:.0f} s; it was ended.")
        if not line.endswith(b"\n"):
            raise self._died()
        said = msgspec.json.decode(line, type=_Said)
        if said.error:
            self.close()
            raise NotMeasured(said.kind, said.error)
        self.url = said.url

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.child.alive

    def session_pids(self) -> list[int]:
        """Processes that hold a session."""
        import psutil

        pids = []
        for process in self._family():
            with suppress(psutil.Error):
                if SESSION in process.cmdline():
                    pids.append(process.pid)
        return sorted(pids)

    def memory(self) -> int:
        """Bytes that the server and its sessions hold; 0 when it is gone."""
        return memory.resident(self.child.pid) if self.alive else 0

    def drain(self, timeout_s: float) -> int:
        """Ask it to stop once what it accepted is answered; its exit code. `NotMeasured` where it does not stop."""
        family = self._family()
        self.child.process.terminate()
        code = self.child.ended(timeout_s)
        if code is None:
            self.close()
            raise NotMeasured("timeout", f"the server did not stop within {timeout_s:.0f} s; it was ended.")
        if left := _still_there(family):
            self.close()
            raise NotMeasured("crash", f"the server ended and left {len(left)} of its processes behind.")
        return code

    def kill(self) -> None:
        """As a crash or the system would end it: at once, and only the server itself."""
        self.child.process.kill()
        self.child.process.wait()

    def close(self) -> None:
        """End it and whatever it started; idempotent."""
        family = self._family()
        self.child.close()
        _still_there(family)

    def tail(self) -> str:
        """The last lines it printed."""
        return self.child.tail()

    def _family(self) -> list[psutil.Process]:
        import psutil

        try:
            return psutil.Process(self.child.pid).children(recursive=True)
        except psutil.Error:
            return []

    def _died(self) -> NotMeasured:
        self.child.ended(LEAVE_S)
        self.close()
        how = how_it_ended(self.child.process.returncode)
        return NotMeasured("crash", f"the server ended with {how} before it was ready.{self.child.last_words()}")


def _still_there(family: list[psutil.Process]) -> list[psutil.Process]:
    """Those that did not end with the server; they are killed."""
    import psutil

    deadline, left = time.monotonic() + LEAVE_S, family
    while (left := [process for process in left if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    return left


def _runs(process: psutil.Process) -> bool:
    """Whether it is there, and not only because nobody has taken notice of its end."""
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def main() -> None:
    """Serve what standard input says."""
    from gatekeeper.serve.server import serve

    answers = begin()

    def say(said: _Said) -> None:
        answers.write(msgspec.json.encode(said) + b"\n")
        answers.flush()

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt  # what uvicorn makes of the signal at its end must not end the process before the sessions

    signal.signal(signal.SIGTERM, interrupt)
    served = msgspec.json.decode(sys.stdin.buffer.readline(), type=Served)
    try:
        serve(served, lambda url: say(_Said(url=url)))
    except KeyboardInterrupt:
        return  # told to stop before it was ready
    except GatekeeperError as error:
        say(_Said(error=str(error), kind=getattr(error, "kind", "data")))


if __name__ == "__main__":
    main()
