"""A variant that fails, as remedies see it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gatekeeper.gates._base import gate
from gatekeeper.models.info import Assessment
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.repaired import Lost
from gatekeeper.repair.edits import Place

Kind = Literal["accuracy", "speed", "memory", "size", "stability", "behaviour", "unmade"]
"""What fails: how it answers, how fast, how much memory, how large a file, how evenly, a test of it; or it could not be made."""

KINDS: tuple[str, ...] = get_args(Kind)
_MEMORY, _EVEN = ("memory", "peak_mb"), ("stability", "endurance")


def kind_of(name: str) -> Kind:
    """What a gate's failure is one of."""
    module = gate(name)
    if module.BASIS == "scores":
        return "accuracy"
    if module.BASIS == "artifact":
        return "size"
    if module.BASIS == "checks":
        return "behaviour"
    return "memory" if name in _MEMORY else "stability" if name in _EVEN else "speed"


@dataclass(frozen=True)
class Failing:
    """One variant that does not pass, what of it fails, and what there is to repair it with.

    `sensitive` ranks the nodes whose quantization changes the answers most, the worst first; asking may take a while.
    """

    variant: str
    place: Place
    kinds: frozenset[Kind]
    lost: tuple[Lost, ...]
    model: Assessment
    target: int | None = None  # where its target stands in the file's list, None where the file names none
    threads: int = 1
    cores: int = 1
    vnni: bool = False
    calibrated: int = 0  # examples of the calibration set
    techniques: Collection[str] = ()  # of its framework, as far as they suit the model
    options: Callable[[str], Mapping[str, Any]] = field(default=lambda _: {})  # of a technique, with their defaults
    sensitive: Callable[[], Sequence[str]] = field(default=lambda: ())
    reason: str = ""  # why it could not be made


def lost_of(gates: Collection[GateResult]) -> tuple[Lost, ...]:
    """The blocking gates that do not pass, as their full measurement has them."""
    return tuple(
        Lost(
            gate=each.gate,
            verdict=each.verdict,
            observed=each.observed,
            bound=each.lower if each.bound == "at_least" else each.upper,
            limit=each.limit,
            unit=each.unit,
            reason=each.brief or each.reason,
        )
        for each in gates
        if each.blocking and each.waiver is None and each.verdict not in (Verdict.PASS, Verdict.SKIP)
    )
