"""What was tried against alerts, written before and after it is tried: killed at any moment, the next run tries nothing twice.

One line of JSON each, added and never changed, on the disk before anything is started. A line that a crash cut short says
nothing. Who holds the state of the watch is the only one that writes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import msgspec

from gatekeeper.records.lines import add_line, read_lines

NAME = "resolution.jsonl"


class Event(StrEnum):
    """What a line says."""

    TRYING = "trying"
    TRIED = "tried"
    ESCALATING = "escalating"
    ESCALATED = "escalated"
    CLOSED = "closed"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `slot` is the server that a step starts; `kept` whether it serves from then on; `sent` and `unsent` whom an
    escalation reached and whom not, with the reason; `seconds` is the time of day.
    """

    event: Event
    alert: str
    seconds: float = 0.0
    step: str = ""
    what: str = ""
    slot: str = ""
    kept: bool = False
    decision: str = ""
    reason: str = ""
    sent: list[str] = []
    unsent: list[str] = []


@dataclass
class Episode:
    """An alert from when it first was answered until it is fine again."""

    alert: str
    tried: list[Entry] = field(default_factory=list)
    cut: Entry | None = None  # a step that was begun, and of which nobody wrote how it ended
    escalated: Entry | None = None

    @property
    def kept_s(self) -> float:
        """When the last step was kept; 0 where none was."""
        return max((each.seconds for each in self.tried if each.kept), default=0.0)


def episodes(entries: Sequence[Entry]) -> dict[str, Episode]:
    """Those that are open, by alert."""
    found: dict[str, Episode] = {}
    for entry in entries:
        episode = found.setdefault(entry.alert, Episode(entry.alert))
        if entry.event is Event.TRYING:
            episode.cut = entry
        elif entry.event is Event.TRIED:
            episode.tried, episode.cut = [*episode.tried, entry], None
        elif entry.event is Event.ESCALATED:
            episode.escalated = entry
        elif entry.event is Event.CLOSED:
            del found[entry.alert]
    return found


class Journal:
    """The lines of one file. What `add` wrote is on the disk when it returns; `UsageError` where it cannot be."""

    def __init__(self, path: Path):
        self.path, self.entries = path, read(path)

    def add(self, entry: Entry) -> Entry:
        """One more."""
        entry = msgspec.structs.replace(entry, seconds=entry.seconds or time.time())
        add_line(self.path, entry, "nothing was changed")
        self.entries.append(entry)
        return entry


def read(path: Path) -> list[Entry]:
    """Its lines; none where there is no file."""
    return read_lines(path, Entry, "Correct it, or remove it")
