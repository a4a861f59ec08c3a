"""Digests that are taken once a run: a file whose state has not changed since still has the digest that it had."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from gatekeeper.models.files import digest

RACY_NS = 2_000_000_000
"""A file this young may change again without its times telling."""


class State(NamedTuple):
    """What the system says of a file. On POSIX nobody but root can change its bytes and leave `changed_ns`."""

    device: int
    number: int
    size: int
    written_ns: int
    changed_ns: int


_known: dict[tuple[str, State], str] = {}


def state(path: Path) -> State:
    """A file's state now; of a link that of what it leads to."""
    told = path.stat()
    return State(told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)


def now(path: Path) -> State | None:
    """The same; None where it is not there any more."""
    try:
        return state(path)
    except (OSError, ValueError):
        return None


def digest_once(path: Path) -> str:
    """SHA-256 of a file; read again only where it may have changed since this process last read it."""
    key = str(path.resolve()), state(path)
    if key in _known:
        return _known[key]
    found = digest(path)
    old = time.time_ns() - max(key[1].written_ns, key[1].changed_ns) > RACY_NS
    if os.name == "posix" and old and state(path) == key[1]:
        _known[key] = found
    return found
