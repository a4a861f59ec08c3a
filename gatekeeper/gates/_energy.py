"""What the gates on energy share: whether it was measured at all, and how far a reading may be from what it stands for.

A counter counts its whole part of the machine, idle or not, and its readings are a little old: of a block they lack the last
moments, and have some of before it. Where two models draw unlike power each is then credited with a part of the other's. That
part, `blur`, is the age of a reading over the length of a block, and every value is charged with it: as much as if what ran
before had drawn nothing, or three times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatekeeper.gates._base import unmeasured
from gatekeeper.gates._rounds import too_few, unusable
from gatekeeper.units import format_number

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.gates import Decision
    from gatekeeper.records.measured import Energy, RoundData

LEAST_BLUR = 0.005
"""However long a block, no counter is more exact; and few rounds of a machine with neighbours look a little too quiet."""
MOST_BLUR = 0.1
"""Beyond this a block is hardly its own."""
WANTED_BLUR = 0.01
"""What a remedy aims at."""
MOST_BLOCK_MS = 10_000
LEAST_WATTS, MOST_WATTS = 1e-4, 1e6
"""Nothing that runs a model draws less, or more."""


def unknown(evidence: Evidence, arms: Sequence[Sequence[RoundData]]) -> Decision | None:
    """A decision where the energy of these arms was not measured, or cannot be what is read; None if it can be judged."""
    if evidence.untimed:
        return unusable(evidence)
    energy = evidence.energy
    if energy.kind == "none":
        return unmeasured(f"nothing measures energy here: {energy.note or 'no meter was asked'}")
    if energy.kind != "measured":
        said = f"energy is only estimated here, by {energy.method} ({energy.note}), and an estimate decides nothing"
        return unmeasured(f"{said}. Measure where a counter can be read")
    if energy.lag_s is None or not energy.blocks:
        return unmeasured(f"how old a reading of {energy.method} may be is not known, so that no block's energy is")
    if few := too_few(evidence):
        return few
    for each in (each for arm in arms for each in arm):
        if each.joules is None or not each.timed_ns:
            said = f"energy was not measured in round {each.round}"
            return unmeasured(f"{said} ({energy.note}); without all of them nobody knows which are left out")
        if not LEAST_WATTS <= watts(each) <= MOST_WATTS:
            return unmeasured(f"{energy.method} reads {watts(each):.3g} W in round {each.round}, which no machine draws")
    worst = max(blur(energy, arm) for arm in arms)
    if not worst <= MOST_BLUR:
        needed = min(energy.lag_s * 1e3 / WANTED_BLUR, MOST_BLOCK_MS)
        said = f"readings of {energy.method} are up to {energy.lag_s * 1e3:g} ms old, {worst:.0%} of a block"
        return unmeasured(f"{said}: what ran before is then counted, too. Set `measure.block_ms` to {needed:g}")
    return None


def watts(each: RoundData) -> float:
    """Mean power of a round while it was timed; 0 where it is not known."""
    return (each.joules or 0.0) * each.count * 1e9 / each.timed_ns if each.timed_ns else 0.0


def blur(energy: Energy, arm: Sequence[RoundData]) -> float:
    """The largest part of a block's energy that may be of the time around it."""
    shortest = min((each.timed_ns or 0.0 for each in arm), default=0.0)
    return (energy.lag_s or 0.0) * 1e9 * energy.blocks / shortest if shortest > 0 else 1.0


def factor(energy: Energy, arm: Sequence[RoundData]) -> float:
    """How many times larger, or smaller, than what is read an arm's energy may be."""
    part = max(blur(energy, arm), LEAST_BLUR)
    return (1 + part) / (1 - part) if part < 1 else float("inf")


def charge(evidence: Evidence, charged: float) -> str:
    """What was added to the bounds, for people; empty where it is next to nothing."""
    if blur(evidence.energy, evidence.variant) <= WANTED_BLUR:
        return ""
    lag_ms = (evidence.energy.lag_s or 0.0) * 1e3
    wanted = format_number(min(lag_ms / WANTED_BLUR * 2, MOST_BLOCK_MS))
    said = f"bounds are {charged - 1:.0%} wider, as readings are up to {lag_ms:g} ms old"
    return f"; {said} (`measure.block_ms: {wanted}` makes that little)"
