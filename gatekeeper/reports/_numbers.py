"""Numbers of a gate in its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import VariantReport
from gatekeeper.reports._plain import plain
from gatekeeper.reports._verdict import WORDS
from gatekeeper.units import format_limit, format_value

LONGEST_UNIT = 20


def value(gate: GateResult, number: float | None) -> str:
    """A number of a gate, in its unit."""
    return "?" if number is None else format_value(number, plain(gate.unit, LONGEST_UNIT))


def interval(gate: GateResult) -> str:
    """The observed value with its bounds, e.g. `3.21x (3.05–3.38)`; exact values stand alone."""
    if gate.observed is None:
        return WORDS[gate.verdict]
    unit = plain(gate.unit, LONGEST_UNIT)
    shown = format_value(gate.observed, unit)
    if gate.lower is None or gate.upper is None or gate.lower == gate.upper:
        return shown
    lower, upper = (format_value(bound, unit).rstrip("x%").removesuffix(f" {unit}") for bound in (gate.lower, gate.upper))
    return f"{shown} ({lower}–{upper})"


def limit(gate: GateResult) -> str:
    """The limit as it is held, e.g. `≥ 2.00x`; empty where there is none."""
    return format_limit(gate.bound, gate.limit, plain(gate.unit, LONGEST_UNIT))


def common_limits(names: Sequence[str], variants: Sequence[VariantReport]) -> dict[str, str | None]:
    """The limit of each gate, None where targets differ in it: each cell then shows its own."""
    stated: dict[str, set[str]] = {name: set() for name in names}
    known: dict[tuple[str, float | None, str], str] = {}  # thousands of gates share a few limits
    for variant in variants:
        for gate in variant.gates:
            if gate.gate in stated:
                key = gate.bound, gate.limit, gate.unit
                if key not in known:
                    known[key] = limit(gate)
                stated[gate.gate].add(known[key])
    return {name: limits.pop() if len(limits) == 1 else None for name, limits in stated.items()}


def divergence(details: Mapping[str, float]) -> str:
    """How far a text model's predictions are from the baseline's."""
    return f"KL {details['kl_mean']:.2g} (p99 {details['kl_p99']:.2g}), same top token {details['same_top']:.1%}"
