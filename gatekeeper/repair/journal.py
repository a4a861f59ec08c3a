"""What a repair has made and measured, kept by content: killed at any moment and started again, nothing is done twice.

Each step is an entry of the cache, signed and whole or not there, under the digest of everything that its result depends on: the
file, the model, the data and code, other files that are named, this version, this machine, and the change itself. Another version
or file finds none of them. `journal.json` beside the reports lists the steps in order, for people; where it is of something else
that is said.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from gatekeeper.files import write_atomic
from gatekeeper.making.cache import Cache
from gatekeeper.records.base import Record
from gatekeeper.records.repaired import Tried

JOURNAL_SCHEMA: Literal["gatekeeper/repair-journal/v1"] = "gatekeeper/repair-journal/v1"
FILE_NAME = "journal.json"
KIND = "repair"


class About(Record, frozen=True, kw_only=True):
    """What the steps of a journal are of: digests, the version, the machine, and the attempt that the first run was."""

    file: str
    model: str
    data: list[str]
    version: list[str]
    machine: list[str]
    attempt: int
    legs: list[str] = []
    policy: str = ""


class Listed(Record, frozen=True, kw_only=True):
    """The file that lists them."""

    schema: Literal["gatekeeper/repair-journal/v1"]
    about: About
    steps: list[Tried] = []


_NAMES = {
    "file": "another pipeline file",
    "model": "another model",
    "data": "other data, code or files",
    "version": "another version of gatekeeper or of a framework",
    "machine": "another machine",
    "attempt": "another attempt",
    "legs": "other legs",
    "policy": "another policy",
}


class Journal:
    """The steps of one repair. `note` says whether a journal of something else lay there, which is then begun anew."""

    def __init__(self, cache: Cache, folder: Path, about: About):
        self.cache, self.place, self.about = cache, folder / FILE_NAME, about
        self.steps: list[Tried] = []
        self.note = _other(self.place, about)
        self._write()

    def step(self, kind: str, key: Any, do: Callable[[Path], dict[str, Any]]) -> tuple[Path, dict[str, Any], bool]:
        """What a step found, and the folder of its files: from an earlier run that came to its end there (True), or done now."""
        whole = {"about": msgspec.to_builtins(self.about), "step": kind, "key": msgspec.to_builtins(key)}
        folder, entry, kept = self.cache.get_or_make(KIND, whole, do)
        return folder, entry.meta, kept

    def add(self, tried: Tried) -> None:
        """List a step, in place of what was known of the same change before."""
        same = next((i for i, each in enumerate(self.steps) if each.edits and each.edits == tried.edits), None)
        if same is None:
            self.steps.append(tried)
        else:
            self.steps[same] = tried
        self._write()

    def _write(self) -> None:
        listed = Listed(schema=JOURNAL_SCHEMA, about=self.about, steps=self.steps)
        write_atomic(self.place, msgspec.json.format(msgspec.json.encode(listed), indent=2))


def _other(place: Path, about: About) -> str:
    """What an older journal there is of, if it is of something else."""
    try:
        before = msgspec.json.decode(place.read_bytes(), type=Listed).about
    except FileNotFoundError:
        return ""
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"{place} was no journal that this version can read: it was begun anew"
    differs = [said for name, said in _NAMES.items() if getattr(before, name) != getattr(about, name)]
    return f"{place} was of {' and '.join(differs)}: none of it is taken over, and it was begun anew" if differs else ""
