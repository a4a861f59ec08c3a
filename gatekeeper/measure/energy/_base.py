"""What every source of energy shares. A source is a module of this folder; its file name is the method reports name.

    KIND            "measured": a counter of the machine; "estimate": computed from something else
    DEVICES         devices (`hardware.targets`) whose energy it counts
    find(device, cache) -> Meter, or Absent with the reason and what would help, as a sentence without a full stop

A counter counts everything its part of the machine uses: the inference, the machine's idle power and whatever else
runs. Joules of an inference are therefore those of the machine while it infers, and the ratio of two models is nearer
to 1 than what their inferences alone would give. An estimate knows CPU time only and has no idle power in it.

A reading is a little old: what a counter says at the start of a block lacks the last moments before it, and at its end the
block's own last moments. `lag_s` is how long these are at most. Gates charge it to every value: two models that draw unlike
power would else be credited with a part of one another's.

Importing this folder imports nothing heavy, and nothing in here raises: what goes wrong becomes a reason.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, cast

from gatekeeper.making.cache import Cache
from gatekeeper.records.measured import Energy
from gatekeeper.registry import Registry
from gatekeeper.version import install_hint

REGISTRY = Registry("measure.energy")
INSTALL = install_hint("energy")


class Reading(NamedTuple):
    """A counter's state: monotonic time, and joules since the meter was made; NaN where it could not be read."""

    at_ns: int
    joules: float


class Unreadable(Exception):
    """A counter that cannot be read; the text says why."""


class Counter:
    """A hardware counter made monotonic: wrap-around is undone, and it starts at 0."""

    def __init__(self, raw: Callable[[], float], wraps_at: float | None = None):
        """`raw` reads joules; `wraps_at` is where it starts again from 0, None if it never does."""
        self._raw, self._wraps_at = raw, wraps_at
        self._last, self._total = raw(), 0.0

    def read(self) -> float:
        """Joules since the counter was made. A fall that is no wrap-around is `Unreadable`, once."""
        now = self._raw()
        step, self._last = now - self._last, now
        if step < 0 and self._wraps_at is not None:
            step += self._wraps_at
        if step < 0:
            raise Unreadable("its counter started again")
        self._total += step
        return self._total


@dataclass(frozen=True)
class Meter:
    """A way to know energy: counters of the machine, or watts per second of CPU time, which is an estimate.

    Read it before a worker is woken, and ask `since` after it is suspended::

        before = meter.read()
        ...
        joules += meter.since(before, timed.wall_ns, timed.cpu_ns)

    A failed reading is NaN, and so is every sum with it; `per_inference` makes None of that.
    """

    method: str
    kind: Literal["measured", "estimate"]
    covers: str  # one line: which parts of the machine
    counters: Sequence[Counter] = ()
    watts: float = 0.0  # per second of CPU time
    lag_s: float | None = None  # how old a reading may be
    problems: list[str] = field(default_factory=list, repr=False, compare=False)

    @property
    def note(self) -> str:
        """What it covers, and what went wrong, if anything."""
        return "; ".join([self.covers, *self.problems])

    def read(self) -> Reading:
        """The counters now."""
        try:
            joules = sum(counter.read() for counter in self.counters)
        except Exception as error:  # a library's or a driver's, of any kind; energy must not end a run
            problem = f"a reading failed: {reason(error)}"
            if problem not in self.problems:
                self.problems.append(problem)
            joules = math.nan
        return Reading(time.perf_counter_ns(), joules)

    def since(self, before: Reading, wall_ns: int, cpu_ns: int) -> float:
        """Joules of the timed part of a block: `wall_ns` of the time since `before`, `cpu_ns` of CPU time.

        Between two readings a worker also wakes up, warms up and answers, which belongs to no inference. The counters'
        joules are shared out by time: power is taken to be the same in both parts.
        """
        now = self.read()
        elapsed_ns = now.at_ns - before.at_ns
        share = min(1.0, wall_ns / elapsed_ns) if elapsed_ns > 0 else math.nan
        return (now.joules - before.joules) * share + self.watts * cpu_ns / 1e9


@dataclass(frozen=True)
class Absent:
    """No energy here, and why. It can be read like a meter, and knows nothing."""

    reason: str
    method: str = ""
    kind: Literal["none"] = "none"
    lag_s: None = None

    @property
    def note(self) -> str:
        """The reason."""
        return self.reason

    def read(self) -> Reading:
        """Nothing."""
        return Reading(time.perf_counter_ns(), math.nan)

    def since(self, before: Reading, wall_ns: int, cpu_ns: int) -> float:
        """Nothing."""
        return math.nan


class EnergySource(Protocol):
    """The shape of a source module."""

    KIND: Literal["measured", "estimate"]
    DEVICES: tuple[str, ...]

    @staticmethod
    def find(device: str, cache: Cache | None) -> Meter | Absent: ...


def meter(device: str, cache: Cache | None = None) -> Meter | Absent:
    """The best there is for a device: a counter, else an estimate, else the reasons of all that were looked for."""
    return _best(device, cache)


def _best(device: str, cache: Cache | None, kind: str = "") -> Meter | Absent:
    reasons: list[str] = []
    sources: list[tuple[str, EnergySource]] = []
    for name in REGISTRY.names:
        try:
            source = cast(EnergySource, REGISTRY.get(name))
            if device in source.DEVICES and kind in ("", source.KIND):
                sources.append((name, source))
        except Exception as error:  # a plugin's
            reasons.append(f"{name}: {reason(error)}")
    for name, source in sorted(sources, key=lambda s: (s[1].KIND != "measured", s[0])):
        answer = _find(source, device, cache)
        if isinstance(answer, Meter):
            return answer
        reasons.append(f"{name}: {answer.reason}")
    return Absent("not measurable here: " + "; ".join(reasons or [f"nothing counts the energy of '{device}'"]))


def measures(device: str) -> Meter | Absent:
    """A counter for a device, or why there is none; estimates, which take seconds to find and decide no gate, are not asked."""
    return _best(device, None, "measured")


def told(meter: Meter | Absent, blocks: int) -> Energy:
    """What a report says of a meter that was read around so many blocks of each arm in a round."""
    return Energy(method=meter.method, kind=meter.kind, note=meter.note, lag_s=meter.lag_s, blocks=blocks)


def per_inference(joules: float, count: int) -> float | None:
    """Joules of one inference; None where they are unknown or the counter never moved."""
    return joules / count if count > 0 and math.isfinite(joules) and joules > 0 else None


def reason(error: Exception) -> str:
    """An exception as part of a line."""
    try:
        text = " ".join(str(error).split()).rstrip(".")
    except Exception:
        text = ""
    if isinstance(error, Unreadable):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _find(source: EnergySource, device: str, cache: Cache | None = None) -> Meter | Absent:
    """What a source says; a meter that cannot be read is none."""
    try:
        answer = source.find(device, cache)
    except Exception as error:
        return Absent(reason(error))
    if isinstance(answer, Meter) and math.isnan(answer.read().joules):
        return Absent("; ".join(answer.problems))
    return answer
