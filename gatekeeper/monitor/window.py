"""What was counted in a stretch of time, wherever it was read: the increases of counters, step by step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gatekeeper.monitor.problems import Unread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatekeeper.monitor.sample import Sample

REQUESTS, LATENCY = "gatekeeper_requests_total", "gatekeeper_request_seconds_bucket"
CONFIDENCE, RESTARTS = "gatekeeper_confidence_bucket", "gatekeeper_session_restarts_total"
LABELLED, SHADOWED = "gatekeeper_labelled_total", "gatekeeper_shadowed_total"
DEPTH = "gatekeeper_queue_depth"
COUNTERS = (REQUESTS, LATENCY, CONFIDENCE, RESTARTS, LABELLED, SHADOWED)
"""Series that are read. `gatekeeper serve` has the first four and the depth of its queue, which is there before any request;
labelled (label `right`) and shadowed (label `agrees`) answers are counted by whoever knows them.
"""

ANSWERS, HALF = "answers", 0.5
"""What `had` calls the answers, and the share of requests that must have a value for it to speak of them."""

STEPS = 1440
"""Parts of a window, of a minute in a day."""
STALE_S, CLOCKS_S = 300.0, 60.0
"""How old the newest sample may be, and how far apart two clocks."""


@dataclass(frozen=True)
class Series:
    """Samples of one counter, in the order of their times (seconds)."""

    labels: Mapping[str, str]
    times: Sequence[float]
    values: Sequence[float]

    @property
    def origin(self) -> tuple[tuple[str, str], ...]:
        """Whose it is: its labels but for those that tell counters of one server apart."""
        return tuple(sorted((k, v) for k, v in self.labels.items() if k not in ("__name__", "le", "code", "right", "agrees")))


@dataclass(frozen=True)
class Increase:
    """By how much one counter rose in each step, of shape [STEPS]."""

    labels: Mapping[str, str]
    steps: NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """From `start` to `end` (seconds since 1970). `unread` says of a family why nothing is known of it. `rows`, where requests
    are logged one by one, is a sample of them, and `answers` how often each answer was given. `had` is the share of the logged
    requests that have a value of a family (or of `ANSWERS`) among those that could.
    """

    start: float
    end: float
    families: Mapping[str, Sequence[Increase]] = field(default_factory=dict)
    unread: Mapping[str, Unread] = field(default_factory=dict)
    notes: Sequence[str] = ()
    rows: Sample | None = None
    answers: Mapping[str, int] = field(default_factory=dict)
    had: Mapping[str, float] = field(default_factory=dict)

    def needed(self, family: str, n: int, least: int) -> int:
        """How many observations of a family it takes to say that all is well: half of what could have had one, or more than
        there are. What most requests lack says nothing of them: it may be the slow ones that nobody wrote down.
        """
        share = self.had.get(family, 1.0)
        return least if share >= HALF else max(least, math.ceil(n * HALF / share) if share else least, n + 1)

    def by(self, family: str, label: str) -> dict[str, NDArray[np.float64]]:
        """The increases of a family by the value of one label, summed over servers; raises what kept it from being read."""
        if family in self.unread:
            raise self.unread[family]
        found: dict[str, NDArray[np.float64]] = {}
        for each in self.families.get(family, ()):
            key = each.labels.get(label, "")
            found[key] = found[key] + each.steps if key in found else each.steps
        return found


def increases(
    family: str, series: Iterable[Series], began: Mapping[object, float], start: float, end: float
) -> tuple[list[Increase], list[str]]:
    """The increases of a family's counters within a window, and what is to be said of them. `Unread` for a value that is none.

    A counter that falls has begun again at 0: what came since counts. One that appears while its server was seen before has begun
    at 0 as well, as labels do when they are first used; of one that appears with its server the first value is only where it
    stands. `began` is when each server was first seen.
    """
    import numpy as np

    found, resets = list[Increase](), 0
    for each in series:
        steps = np.zeros(STEPS)
        before: float | None = None
        for time, value in zip(each.times, each.values, strict=True):
            if not (math.isfinite(value) and value >= 0):
                said = f"{family} holds {value} at {time:.0f}: no count. Nothing is concluded from it; look at who exports it."
                raise Unread("nan", said)
            if before is None:
                before = 0.0 if time > began.get(each.origin, time) else value
            if time <= start:
                before = value
                continue
            if value < before:
                resets, before = resets + 1, 0.0
            place = min(STEPS - 1, int((time - start) / (end - start) * STEPS))
            steps[place] += value - before
            before = value
        found.append(Increase(each.labels, steps))
    name = family.removesuffix("_bucket")
    said = f"{name} began again at 0 ({resets} times): what came between the last reading and that is not counted"
    return found, [said] if resets else []


def first_seen(series: Iterable[Series]) -> dict[object, float]:
    """When each server was seen first."""
    found: dict[object, float] = {}
    for each in series:
        if len(each.times):
            found[each.origin] = min(each.times[0], found.get(each.origin, math.inf))
    return found


def window_of(read: Mapping[str, Sequence[Series]], start: float, end: float, unread: Mapping[str, Unread]) -> Window:
    """What the series of each family rose by; a family with a number that is none is unread, and the others are not."""
    began = first_seen(each for series in read.values() for each in series)
    families, missing, notes = dict[str, list[Increase]](), dict(unread), list[str]()
    for name, series in read.items():
        try:
            families[name], said = increases(name, series, began, start, end)
            notes += said
        except Unread as error:
            missing[name] = error
    return Window(start, end, families, missing, list(dict.fromkeys(notes)))
