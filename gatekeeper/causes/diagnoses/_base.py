"""Diagnoses: what may be behind a problem in each framework, and what to do. A problem is a module of this folder. It has:

DESCRIPTION   what the problem is
GATES         the gates that fail of it
ROWS          what is known of it, framework by framework: `Row`s, those that rest on more before those that rest on less

The framework ANY stands for all that have no row of their own. A row whose `sees` finds nothing says nothing: a cause without
evidence is a guess. It measures nothing and imports nothing heavy: reports ask it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from gatekeeper.causes.seen import Seen, judged
from gatekeeper.ids import without_set
from gatekeeper.records.base import Verdict
from gatekeeper.records.explained import Diagnosis, Fact, Remedy
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import VariantReport
from gatekeeper.registry import Registry

REGISTRY = Registry("causes.diagnoses", ("DESCRIPTION", "GATES", "ROWS"))
ANY = ""


@dataclass(frozen=True)
class Row:
    """A cause in one framework. `sees` returns what speaks for it; nothing where nothing does."""

    framework: str
    cause: str
    remedy: str
    sees: Callable[[Seen], Sequence[Fact]]


class Problem(Protocol):
    """The shape of a module of this folder."""

    DESCRIPTION: str
    GATES: tuple[str, ...]
    ROWS: tuple[Row, ...]


def problem(name: str) -> Problem:
    """The problem of that name."""
    return cast(Problem, REGISTRY.get(name))


def problem_of(gate: str) -> str | None:
    """The problem that a gate's failure is; None where no module knows it, as of a test, which says itself what is wrong."""
    return next((name for name in REGISTRY.names if without_set(gate) in problem(name).GATES), None)


def diagnoses(seen: Seen) -> list[Diagnosis]:
    """Why gates of a variant failed: for each problem that they are, every cause that something speaks for.

    Where nothing was judged, a variant that is no faster than the original has the problem of being slow.
    """
    found: list[Diagnosis] = []
    for name, (gates, facts) in _problems(seen).items():
        for row in rows(name, seen.variant.framework):
            if evidence := row.sees(seen):
                found.append(_diagnosis(name, gates, [*facts, *evidence], row))
    return found


def _problems(seen: Seen) -> dict[str, tuple[list[GateResult], list[Fact]]]:
    """What is wrong, by the gates that say so, and with which numbers."""
    found: dict[str, tuple[list[GateResult], list[Fact]]] = {}
    for gate in seen.failed:
        if name := problem_of(gate.gate):
            gates, facts = found.setdefault(name, ([], []))
            gates.append(gate)
            facts.append(judged(gate))
    if failure(seen.variant):
        found["compatibility"] = [], []
    own, other = seen.performance, seen.leg.baseline if seen.leg else None
    if not seen.variant.gates and own and other and own.p50_ns >= other.p50_ns > 0:
        said = f"{other.p50_ns / own.p50_ns:.2f}x the speed of the original"
        found["slow_inference"] = [], [Fact(what="speed", value=other.p50_ns / own.p50_ns, unit="x", said=said)]
    return found


def rows(name: str, framework: str) -> list[Row]:
    """What is known of a problem in a framework."""
    every = problem(name).ROWS
    return [row for row in every if row.framework == framework] or [row for row in every if row.framework == ANY]


def failure(variant: VariantReport) -> str:
    """Why a variant could not be made or run at all; empty where it could."""
    return variant.reason if variant.verdict is Verdict.ERROR and variant.artifact is None else ""


def _diagnosis(name: str, gates: list[GateResult], evidence: list[Fact], row: Row) -> Diagnosis:
    remedy = Remedy(what=row.remedy)
    return Diagnosis(problem=name, gates=[gate.gate for gate in gates], evidence=evidence, cause=row.cause, remedies=[remedy])
