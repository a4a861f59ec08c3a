"""What a rollout has done, written before and after it does it: killed at any moment, the next run knows which colour serves.

One line of JSON each, added and never changed, on the disk before anything moves. A line that a crash cut short says nothing. A
move is written twice: as an intention, which the next run carries out again (setting weights twice is setting them once), and as
done.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from types import TracebackType

import filelock
import msgspec

from gatekeeper.deploy.haproxy import Colour
from gatekeeper.errors import UsageError
from gatekeeper.records.lines import add_line, read_lines


class Busy(UsageError):
    """Another process is at work there."""


class Event(StrEnum):
    """What a line says."""

    BEGIN = "begin"
    STEP = "step"
    PASSED = "passed"
    PROMOTING = "promoting"
    PROMOTED = "promoted"
    GOING_BACK = "going_back"
    WENT_BACK = "went_back"
    WAITING = "waiting"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `green` is green's share in percent, that is to be or was reached; `seconds` is the time of day, for people."""

    event: Event
    green: int = 0
    seconds: float = 0.0
    reason: str = ""
    blue_model: str = ""
    green_model: str = ""
    socket: str = ""


ENDS = (Event.PROMOTED, Event.WENT_BACK)


class Standing(msgspec.Struct, frozen=True):
    """What a journal says of now: who must have all the traffic when a run begins, and whether a rollout was cut short.

    A ramp that was cut short goes back: what was seen of it is gone with the process that saw it.
    """

    serves: Colour
    cut_short: bool
    models: tuple[str, str] = ("", "")
    socket: str = ""


class Journal(AbstractContextManager["Journal"]):
    """One file, held by one process at a time."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(f"{path}.lock")
        try:
            self._lock.acquire(timeout=0.2)
        except filelock.Timeout:
            raise Busy(f"{path}: another deploy is at work here. Wait for it, or end it first.") from None
        try:
            self.entries = read(path)
        except UsageError:
            self._lock.release()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()

    def add(self, entry: Entry) -> None:
        """On the disk when this returns; a `UsageError` where it cannot be, and then nothing may move."""
        entry = msgspec.structs.replace(entry, seconds=entry.seconds or time.time())
        add_line(self.path, entry, "nothing was moved")
        self.entries.append(entry)

    def standing(self) -> Standing:
        """What it says of now."""
        return standing(self.entries)


def read(path: Path) -> list[Entry]:
    """Its lines; none where there is no file. A line that cannot be read was cut short."""
    return read_lines(path, Entry, "Name another file for the journal")


def standing(entries: list[Entry]) -> Standing:
    """Who serves: green once it is being promoted, else blue. After `promoted` green is the blue of the next rollout."""
    begun = [i for i, entry in enumerate(entries) if entry.event is Event.BEGIN]
    if not begun:
        return Standing(Colour.BLUE, False)
    first, since = entries[begun[-1]], entries[begun[-1] :]
    moves = [entry.event for entry in since if entry.event in (Event.PROMOTING, Event.GOING_BACK, *ENDS)]
    last = moves[-1] if moves else None
    serves = Colour.GREEN if last in (Event.PROMOTING, Event.PROMOTED) else Colour.BLUE
    return Standing(serves, last not in ENDS, (first.blue_model, first.green_model), first.socket)
