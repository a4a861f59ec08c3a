"""Sentences that several reporters say: of a waiver, of looser limits, of what measuring took."""

from __future__ import annotations

from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import LegReport, Report
from gatekeeper.reports._numbers import value
from gatekeeper.reports._plain import plain
from gatekeeper.units import format_duration


def waiver(gate: GateResult) -> str:
    """The waiver in words; empty where there is none."""
    if gate.waiver is None:
        return ""
    side = "up" if gate.bound == "at_most" else "down"
    said = f"waived until {plain(gate.waiver.expires, 40)} by {plain(gate.waiver.owner, 80)} {side} to "
    said += f"{value(gate, gate.waiver.ceiling)}: {plain(gate.waiver.reason, 300)}"
    return said + (f" ({plain(gate.waiver.issue, 200)})" if gate.waiver.issue else "")


def loosened(report: Report) -> list[str]:
    """Limits that are looser than the policy's, which are not applied, and those looser than in the base branch's report."""
    held = [f"the pipeline file loosens a limit, not applied: {said}" for said in report.pipeline.loosened]
    return held + [f"this change loosens a limit: {said}" for said in (report.base.loosened if report.base else [])]


def effort(leg: LegReport) -> str:
    """What measuring took of what it may take, and what ended it."""
    took = f"{leg.rounds} of at most {leg.max_rounds} rounds in {leg.measuring_s:.0f} s"
    if leg.budget_s:
        took += f", {leg.measuring_s / leg.budget_s:.0%} of the budget of {format_duration(leg.budget_s)}"
    ended = {"decided": "every gate that blocks was decided", "rounds": "no rounds were left", "budget": "the budget was used up"}
    return f"{took}; {ended[leg.stopped]}" if leg.stopped else took
