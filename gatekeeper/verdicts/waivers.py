"""Waivers applied to a report: a failure no longer blocks, and stays a failure. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from gatekeeper.errors import nearest
from gatekeeper.gates.speedup import control_bias
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, TargetReport, VariantReport
from gatekeeper.verdicts.again import expiry, judged_again, unwaived
from gatekeeper.verdicts.notes import renoted

if TYPE_CHECKING:
    from gatekeeper.config.waivers import GateWaiver

SOON = datetime.timedelta(days=14)
_WAIVABLE = (Verdict.FAIL, Verdict.INCONCLUSIVE)


def waive(report: Report, waivers: Sequence[GateWaiver], today: datetime.date) -> Report:
    """The report judged again with these waivers, and with no others.

    A blocking gate that fails or is undecided, and whose bound clears a waiver's ceiling, keeps its verdict and no
    longer blocks. What was not measured is never waived. `today` is the day in UTC.
    """

    def gates(target: TargetReport, variant: VariantReport) -> list[GateResult]:
        own = sorted((w for w in waivers if w.covers(target.name, variant.id)), key=lambda w: w.variant is None)
        return [_gate(unwaived(gate), [w for w in own if w.gate == gate.gate], today) for gate in variant.gates]

    judged = judged_again(report, gates)
    remarks = [f"waiver {waiver} {said}" for waiver in waivers if (said := _remark(waiver, judged, today))]
    return renoted(judged, "waiver", remarks)


def _gate(gate: GateResult, waivers: Sequence[GateWaiver], today: datetime.date) -> GateResult:
    if not waivers or not gate.blocking or gate.verdict not in _WAIVABLE:
        return gate
    for each in waivers:
        if today <= each.until and _clears(gate, each.waiver.ceiling):
            return msgspec.structs.replace(gate, waiver=each.waiver, blocking=False)
    expired = next((each.waiver for each in waivers if today > each.until), None)
    if expired is None:
        return gate
    return msgspec.structs.replace(gate, reason=gate.reason + expiry(expired), expired=expired)


def _clears(gate: GateResult, ceiling: float) -> bool:
    bound = _bound(gate)
    if bound is None:
        return False
    return bound >= ceiling if gate.bound == "at_least" else bound <= ceiling


def _bound(gate: GateResult) -> float | None:
    """The bound on the side of the limit, less what a runner that is too noisy may have added to it."""
    if gate.bound == "at_most":
        return gate.upper
    if gate.control is None or gate.lower is None:
        return gate.lower
    low, high = gate.control.lower, gate.control.upper
    if low is None or high is None or not 0 < low <= high:
        return None
    return gate.lower / control_bias(Interval(observed=1.0, lower=low, upper=high))


def _remark(waiver: GateWaiver, report: Report, today: datetime.date) -> str:
    """What its owner should know: it does nothing, or not for long."""
    variants = [(t, v) for t in report.targets for v in t.variants if waiver.covers(t.name, v.id)]
    covered = [(v.id, g) for _, v in variants for g in v.gates if g.gate == waiver.gate]
    expires = f"{waiver.waiver.expires}, {waiver.waiver.owner}"
    if any(gate.waiver == waiver.waiver for _, gate in covered):
        left = (waiver.until - today).days
        return f"expires on {expires}: {left} days from now" if waiver.until - today <= SOON else ""
    if today > waiver.until:
        return f"expired on {expires}. Repair what it covers, or remove it."
    if not covered:
        return _nothing(waiver, report) if _whole(report) else ""
    failing = [(name, gate) for name, gate in covered if gate.blocking and gate.verdict in _WAIVABLE]
    if failing:
        name, gate = failing[0]
        bound = _bound(gate)
        shown = "has no bound" if bound is None else f"is bounded by {bound:.4g}"
        return f"does not hold: {name} {shown}, and its ceiling is {waiver.waiver.ceiling:.4g}"
    if any(gate.verdict is Verdict.ERROR for _, gate in covered):
        return "applies to nothing: what was not measured cannot be waived"
    return "applies to nothing: no gate that it names fails and blocks. Remove it."


def _nothing(waiver: GateWaiver, report: Report) -> str:
    known = [*_names(report, waiver.variant is not None)]
    return f"applies to nothing: the report has no gate '{waiver.gate}' of {waiver.id}{nearest(waiver.id, known) or '.'}"


def _names(report: Report, variants: bool) -> Iterator[str]:
    for target in report.targets:
        yield from (variant.id for variant in target.variants) if variants else (target.name,)


def _whole(report: Report) -> bool:
    """Whether every leg of the pipeline file is in the report, so that what is not here is nowhere."""
    return set(report.pipeline.legs) <= {leg.id for target in report.targets for leg in target.legs}
