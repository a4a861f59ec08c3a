"""Numbers of a gate in its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

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
    return _interval(gate.observed, gate.lower, gate.upper, plain(gate.unit, LONGEST_UNIT))


@lru_cache(maxsize=1 << 15)  # several formats say each of thousands
def _interval(observed: float, lower: float | None, upper: float | None, unit: str) -> str:
    shown = format_value(observed, unit)
    if lower is None or upper is None or lower == upper:
        return shown
    return f"{shown} ({_bare(lower, unit)}–{_bare(upper, unit)})"


def _bare(number: float, unit: str) -> str:
    """A number whose unit stands before it already."""
    return format_value(number, unit).rstrip("x%").removesuffix(f" {unit}")


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
