"""Every probe, each in a process of its own and within a time limit: what hangs or breaks is named, and the rest is reported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Literal

import msgspec

from gatekeeper.hardware.probed import TARGETS_OF_THIS, Answer
from gatekeeper.hardware.probes._base import REGISTRY, Found
from gatekeeper.records.base import Amount, Record

LIMIT_S = 5.0
MOST_BYTES = 1 << 20
_GONE_S = 0.5


class Probed(Record, frozen=True, kw_only=True):
    """What became of one probe. `reason` says why it failed or that it hung."""

    probe: str
    state: Literal["found", "nothing", "failed", "hung"]
    found: list[Found] = []
    reason: str = ""
    seconds: Amount = 0.0


class Looking:
    """Every probe, started; `end` waits for them. The time of each runs from its start."""

    def __init__(self, limit_s: float = LIMIT_S, names: Sequence[str] | None = None):
        self.limit_s = limit_s
        self.names = list(names if names is not None else REGISTRY.names)
        self.folder = tempfile.TemporaryDirectory()
        self.running = [_Running(name, self.folder.name) for name in [*self.names, TARGETS_OF_THIS]]

    def end(self) -> tuple[list[Probed], dict[str, str | None], str]:
        """What every probe found; which targets this machine is (None) or why not; and why that is not known, if it is not."""
        with self.folder:
            ended = [each.end(self.limit_s) for each in self.running]
        said, reason, _, _ = ended.pop()
        found = [_probed(name, *each) for name, each in zip(self.names, ended, strict=True)]
        return found, said.targets if said else {}, reason


def _probed(name: str, said: Answer | None, reason: str, hung: bool, seconds: float) -> Probed:
    if said is None:
        return Probed(probe=name, state="hung" if hung else "failed", reason=reason, seconds=seconds)
    return Probed(probe=name, state="found" if said.found else "nothing", found=said.found, seconds=seconds)


class _Running:
    """A probe at work. Its answer goes to a file: a pipe that something it started keeps open would never end."""

    def __init__(self, name: str, folder: str):
        self.out: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (`end` closes both)
        self.err: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        command = [sys.executable, "-P", "-m", "gatekeeper.hardware.probed", name]
        self.started = time.monotonic()
        self.child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err, start_new_session=os.name == "posix"
        )

    def end(self, limit_s: float) -> tuple[Answer | None, str, bool, float]:
        """(answer, why there is none, whether it hung, seconds)."""
        with self.out, self.err:
            try:
                self.child.wait(max(0.0, self.started + limit_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._kill()
                return None, f"it gave no answer within {limit_s:g} s", True, time.monotonic() - self.started
            return *self._read(), False, time.monotonic() - self.started

    def _read(self) -> tuple[Answer | None, str]:
        self.out.seek(0)
        try:
            said = msgspec.json.decode(self.out.read(MOST_BYTES), type=Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.err.seek(0)
            last = self.err.read(MOST_BYTES).decode("utf-8", "replace").strip().splitlines()[-1:]
            return None, f"it ended with exit code {self.child.returncode} and no answer{f': {last[0]}' if last else ''}"
        return (None, said.error) if said.error else (said, "")

    def _kill(self) -> None:
        """It and what it started. One that hangs in the kernel cannot be waited for."""
        with suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self.child.pid, signal.SIGKILL)
            else:
                self.child.kill()
        with suppress(subprocess.TimeoutExpired):
            self.child.wait(_GONE_S)
