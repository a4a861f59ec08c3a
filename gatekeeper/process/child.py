"""A child process of gatekeeper's own: how it is started, what it sees, how it is suspended, how it ends and how it ended.

It is `python -m MODULE`, in a group of its own, with none of the job's secrets in its environment. It dies with this process (see
gatekeeper/process/inside.py, which is its side), reads lines, says lines, and what it prints otherwise is in its log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from gatekeeper.errors import NotMeasured
from gatekeeper.files import open_itself
from gatekeeper.process.hold import Room, held, unheld
from gatekeeper.process.lines import LineReader

# What a child inherits. Everything else stays out: a model's code must not see the job's tokens.
PASSED = {
    "PATH", "USERPROFILE", "LANG", "LC_ALL", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "CUDA_PATH", "VIRTUAL_ENV",
    "NUMBER_OF_PROCESSORS", "OPENVINO_LIB_PATHS", "MALLOC_ARENA_MAX",
}  # fmt: skip
# numpy's pool of threads costs a worker as much CPU time as importing numpy does; only what is measured is given threads.
QUIET = {
    "OPENBLAS_NUM_THREADS": "1",
    "OLIVE_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "CI": "true",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
}
ROOT = Path(__file__).resolve().parents[2]
"""Where the package lies."""

LONGEST_LINE = 1 << 20
TAIL_BYTES, TAIL_LINES = 4000, 3
END_S = 5.0


FIRST = 1
"""How a held child knows its parent: as the first process there is."""


def command(module: str, room: Room | None = None) -> list[str]:
    """The command line of a child that dies with this process; in a room, where it is held there."""
    if room is None or unheld():
        return [sys.executable, "-P", "-m", module, str(os.getpid())]
    return held([sys.executable, "-P", "-m", module, str(FIRST)], room)


def environment(threads: int | None = None, scratch: Path | None = None) -> dict[str, str]:
    """What a process that runs a model sees: this package, and nothing of the job's secrets.

    What it leaves in temporary folders when it is killed goes with `scratch`.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {k: v for k, v in os.environ.items() if k in PASSED} | QUIET | {"PYTHONPATH": os.pathsep.join(paths)}
    env |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)) if threads is not None else {}
    if base := _user_base():
        env["PYTHONUSERBASE"] = base  # packages that a user installed are found although the home is another
    return env | (dict.fromkeys(("TMPDIR", "TEMP", "TMP", "HOME"), str(scratch)) if scratch else {})


def _user_base() -> str:
    import site

    return site.getuserbase() if site.ENABLE_USER_SITE else ""


def signal_group(pid: int, name: str) -> None:
    """Send SIGSTOP, SIGCONT or SIGKILL to a child and what it started; nothing where all of it is gone."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, getattr(signal, name))
        return
    import psutil

    with suppress(psutil.Error):
        main = psutil.Process(pid)
        for process in (*main.children(recursive=True), main):
            {"SIGSTOP": process.suspend, "SIGCONT": process.resume, "SIGKILL": process.kill}[name]()


def children(pid: int) -> list[int]:
    """The processes that one has started, or been given as orphans, the oldest first; none where it is gone. Linux only."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def how_it_ended(code: int | None) -> str:
    """`signal SIGSEGV` or `exit code 3`."""
    if code is None or code >= 0:
        return f"exit code {code}"
    return f"signal {signal.Signals(-code).name if -code in {s.value for s in signal.Signals} else -code}"


class Child(AbstractContextManager["Child"]):
    """One child process. Use as a context manager: neither it nor what it started in its group outlives the block.

    `name` is what messages call it: worker, server. With a `room` it is held there where the system can.
    """

    def __init__(
        self, module: str, name: str, scratch: Path, threads: int | None = None, longest_line: int = LONGEST_LINE,
        room: Room | None = None,
    ):  # fmt: skip
        self.name, self.held = name, room is not None and not unheld()
        log, path = tempfile.mkstemp(dir=scratch, prefix=f"{name}-", suffix=".log")
        self.log, self._own_log = Path(path), os.fstat(log)
        try:
            self.process = subprocess.Popen(
                command(module, room), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env=environment(threads, scratch), cwd=scratch, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise NotMeasured("crash", f"a {name} process could not be started: {error.strerror}.") from error
        finally:
            os.close(log)
        self._stdin, stdout = cast(IO[bytes], self.process.stdin), cast(IO[bytes], self.process.stdout)
        self.lines = LineReader(stdout, longest_line)
        self.suspended = self._closed = False
        self._main = 0 if self.held else self.pid

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id, also the id of its process group."""
        return self.process.pid

    @property
    def main(self) -> int:
        """Process id of the program itself, whose memory counts; 0 where it has not begun."""
        if not self._main:
            self._main = next((child for first in children(self.pid) for child in children(first)), 0)
        return self._main

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def say(self, line: bytes) -> None:
        """Write a line to its standard input; an `OSError` where it is dead."""
        self._stdin.write(line)
        self._stdin.flush()

    def suspend(self) -> None:
        """Stop every thread of it, so that it takes nothing from another one that is measured."""
        if not self.suspended and self.alive:
            signal_group(self.pid, "SIGSTOP")
            self.suspended = True

    def resume(self) -> None:
        """Let it run again."""
        if self.suspended:
            signal_group(self.pid, "SIGCONT")
            self.suspended = False

    def ended(self, timeout_s: float) -> int | None:
        """Its exit code, a signal's number below zero; None where it goes on for longer than that."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End it and whatever it started; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self.held:
            self._empty_room()
        signal_group(self.pid, "SIGKILL")  # the whole group: it may have ended and left others in it
        self.process.wait()
        self.lines.finish()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                cast(IO[bytes], stream).close()

    def _empty_room(self) -> None:
        """End the first process of its namespace, and with that all others; whoever waits for it ends after them.

        Where there is none yet nothing would end: the group's end, which comes next, takes it too if it is made meanwhile.
        """
        begun = children(self.pid)
        if not begun:
            return
        for first in begun:
            with suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)
        signal_group(self.pid, "SIGCONT")
        self.ended(END_S)

    def tail(self) -> str:
        """The last lines it printed, for an error message; none where it has put something else in the place of its log.

        Through a link left there this process would read, and tell, what the child could not: its own environment, a key.
        """
        try:
            with open_itself(self.log) as file:
                found = os.fstat(file.fileno())
                if not os.path.samestat(found, self._own_log):
                    return ""
                file.seek(max(0, found.st_size - TAIL_BYTES))
                text = file.read(TAIL_BYTES).decode("utf-8", "backslashreplace")
        except OSError:
            return ""
        return " | ".join(line.strip() for line in text.splitlines()[-TAIL_LINES:] if line.strip())

    def last_words(self) -> str:
        """A sentence of what it printed last, with a blank before it; empty where it said nothing."""
        said = self.tail()
        return f" It last said: {said}" if said else ""
