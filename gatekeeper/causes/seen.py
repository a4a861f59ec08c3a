"""What is known of one variant, for whoever looks for a cause: always what a run measured, and what was measured since."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.records.base import Verdict
from gatekeeper.records.explained import Fact, Profile, Ranking, Traffic
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Environment, Performance
from gatekeeper.records.report import LegReport, VariantReport
from gatekeeper.units import format_bytes, format_number


@dataclass(frozen=True)
class Seen:
    """A variant, its leg, and the number of calibration examples; what is None was not measured."""

    variant: VariantReport
    leg: LegReport | None = None
    calibration: int | None = None
    profile: Profile | None = None
    traffic: Traffic | None = None
    ranking: Ranking | None = None

    @property
    def performance(self) -> Performance | None:
        """Of the variant."""
        return self.variant.performance

    @property
    def environment(self) -> Environment | None:
        """The machine."""
        return self.leg.environment if self.leg else None

    @property
    def failed(self) -> list[GateResult]:
        """Its gates that failed, whether they block or not."""
        return [gate for gate in self.variant.gates if gate.verdict is Verdict.FAIL]

    def operator(self, *names: str) -> float:
        """The share of operators' time that those of these kinds take; 0 where there is no profile."""
        return sum(each.share for each in self.profile.operators if each.operator in names) if self.profile else 0.0


def fraction(what: str, value: float) -> Fact:
    """A share."""
    return Fact(what=what, value=value, unit="fraction", said=f"{what} {value:.0%}")


def size(what: str, value: float) -> Fact:
    """A number of bytes."""
    return Fact(what=what, value=float(value), unit="bytes", said=f"{what} {format_bytes(int(value))}")


def rate(what: str, value: float) -> Fact:
    """Bytes a second."""
    return Fact(what=what, value=value, unit="bytes/s", said=f"{what} {format_bytes(int(value))}/s")


def duration(what: str, value_ns: float) -> Fact:
    """A time in nanoseconds."""
    return Fact(what=what, value=float(value_ns), unit="ns", said=f"{what} {format_number(value_ns / 1e6)} ms")


def count(what: str, value: float) -> Fact:
    """How many there are."""
    return Fact(what=what, value=float(value), unit="count", said=f"{what} {value:g}")


def words(what: str, said: str) -> Fact:
    """What is no number."""
    return Fact(what=what, value=None, unit="", said=f"{what}: {said}")


def judged(gate: GateResult) -> Fact:
    """What a gate has found."""
    return Fact(what=gate.gate, value=gate.observed, unit=gate.unit, said=f"{gate.gate}: {gate.reason}")
