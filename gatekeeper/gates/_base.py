"""What every gate shares. A gate is a module of this folder; its file name is its YAML key. It has:

DESCRIPTION  one line for the schema and the reference
UNIT         unit of the observed value and the limit
BASIS        what it is judged on: "rounds" (again at every look), "scores", "artifact", or, in the testing stage,
             "checks" or "load"
DEFAULT      the Config used when the file does not mention the gate, or None: only when mentioned
Config       its limits: a GateConfig with described fields
limit_key    the field of Config that holds the limit
judge(config, evidence) -> Decision

A gate of the testing stage also has

TESTED_BY    the key of `testing` that measures it; it applies where that is not `off`

and, where it has something to say:

JUDGES       the scenarios of load that it decides, the first of them that ran
CHECKS       the kind of checks that it counts, where it is not called as they are

A gate that bounds ratios over rounds may also tell `gatekeeper calibrate` which, so that it says what a runner can decide:

ratios(baseline, variant) -> pairs (numerators, denominators), one value a round
to_ratio(limit) / from_ratio(ratio) -> between the limit's unit and that of the ratios
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Annotated, Literal, Protocol, cast, runtime_checkable

import msgspec
from msgspec import Meta

from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import RoundData
from gatekeeper.registry import Registry

REGISTRY = Registry("gates")

Ratio = tuple[list[float], list[float]]
"""Numerators and denominators, one each a round."""


class GateConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of a gate; `on_fail: warn` reports a failure without blocking."""

    on_fail: Annotated[
        Literal["fail", "warn"], Meta(description="`fail` blocks; `warn` reports the failure and does not block.")
    ] = "fail"


class Gate(Protocol):
    """The shape of a gate module."""

    DESCRIPTION: str
    UNIT: str
    BOUND: Literal["at_least", "at_most"]
    BASIS: Literal["rounds", "scores", "artifact", "checks", "load"]
    DEFAULT: GateConfig | None
    Config: type[GateConfig]
    limit_key: str

    @staticmethod
    def judge(config: GateConfig, evidence: Evidence) -> Decision:
        """Decide from evidence; absence is never a pass."""


@runtime_checkable
class RatioGate(Gate, Protocol):
    """A gate that bounds ratios over rounds."""

    @staticmethod
    def ratios(baseline: list[RoundData], variant: list[RoundData]) -> list[Ratio]: ...

    @staticmethod
    def to_ratio(limit: float) -> float: ...

    @staticmethod
    def from_ratio(ratio: float) -> float: ...


def gate(name: str) -> Gate:
    """The gate module of that name."""
    return cast(Gate, REGISTRY.get(name))


def tested_by(name: str) -> str:
    """The key of `testing` that measures a gate; empty for those of the optimization stage."""
    found: str = getattr(gate(name), "TESTED_BY", "")
    return found


@lru_cache(maxsize=256)
def of_testing(name: str) -> bool:
    """Whether a gate, which may be a stranger's, is one of the many that the testing stage measures."""
    return name in REGISTRY.builtin and bool(tested_by(name))


def decides(name: str, ran: Collection[str]) -> str:
    """The scenario of load, of those that ran, that a gate decides; empty where it decides none."""
    stated: tuple[str, ...] = getattr(gate(name), "JUDGES", ()) if of_testing(name) else ()
    return next((scenario for scenario in stated if scenario in ran), "")


def counts_checks(name: str, kind: str) -> bool:
    """Whether a gate counts the checks of a kind."""
    return kind == (getattr(gate(name), "CHECKS", name) if of_testing(name) else name)


def unmeasured(reason: str) -> Decision:
    """Something this gate needs was not measured."""
    return Decision(verdict=Verdict.ERROR, reason=reason)
