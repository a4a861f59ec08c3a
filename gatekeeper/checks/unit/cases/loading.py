"""A second session beside the first, and memory that comes back when sessions go."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from typing import TYPE_CHECKING

from gatekeeper.checks.outcome import Broken, NoStandard
from gatekeeper.checks.unit.base import Case, Seen
from gatekeeper.checks.unit.compare import same

if TYPE_CHECKING:
    from gatekeeper.checks.unit.lab import Lab, TrialLog

LOADS, SETTLING, LOADS_S = 8, 3, 20.0
SPARE_BYTES = 8 << 20
SHARE = 0.5


def _beside(lab: Lab, log: TrialLog) -> None:
    feed = lab.feeds[0]
    log.run("the first session", feed)
    second = lab.open()
    log.run("the second session", feed, second)
    log.run("the first session beside a second", feed)
    del second
    gc.collect()
    log.run("the first session, the second gone", feed)


def _judge_beside(variant: Seen, original: Seen) -> str:
    return same(variant, original, [(label, "the first session") for label in variant.trials if label != "the first session"])


def _come_and_go(lab: Lab, log: TrialLog) -> None:
    """Memory after each of several sessions has been opened, used and let go, and while one is open."""
    from gatekeeper.process.memory import Footprint

    footprint = Footprint(os.getpid())
    started, held, left = time.monotonic(), [], []
    for i in range(LOADS):
        session = lab.open()
        session.run(lab.feeds[0])
        held.append(footprint.full() or 0)
        del session
        _give_back()
        left.append(footprint.full() or 0)
        if i >= SETTLING and time.monotonic() - started > LOADS_S:
            break
    log.numbers["measured"] = float(min(left))
    log.numbers["loads"] = float(len(left) - SETTLING)
    log.numbers["grew"] = float(left[-1] - left[SETTLING - 1])
    log.numbers["session"] = float(max(0, held[-1] - left[-1]))


def _give_back() -> None:
    """Python's garbage, and what the C library keeps of what was freed."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in every C library
        if trim:
            trim(0)


def _judge_memory(variant: Seen, original: Seen) -> str:
    ours, theirs = variant.numbers, original.numbers
    if not ours.get("measured"):
        raise NoStandard("the system does not tell how much memory the process holds")
    grew, session = ours["grew"], ours["session"]
    limit = max(2 * theirs.get("grew", 0.0), SHARE * session, SPARE_BYTES)
    about = (
        f"{ours['loads']:.0f} further loads left {_mb(grew)}; a session holds {_mb(session)}, and {_mb(limit)} are allowed: the "
        f"largest of half a session, twice what the original leaves ({_mb(theirs.get('grew', 0.0))}), and {_mb(SPARE_BYTES)}"
    )
    if grew > limit:
        raise Broken(about)
    return about


def _mb(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


CASES = (
    Case("load_twice", "basic", "all", _beside, _judge_beside, "a second session beside the first, and after it is gone: equal"),
    Case("memory_given_back", "comprehensive", "all", _come_and_go, _judge_memory,
         "opening and closing sessions leaves at most half a session, twice what the original leaves, or 8 MiB"),
)  # fmt: skip
