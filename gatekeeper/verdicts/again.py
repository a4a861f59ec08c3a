"""Verdicts made anew from gates, whatever the report claims of itself. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gatekeeper.ids import leg_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult, Waiver
from gatekeeper.records.report import Report, TargetReport, VariantReport
from gatekeeper.verdicts.judge import all_of, variant_reason, variant_verdict
from gatekeeper.verdicts.targets import rejudged, report_verdict

_BAD = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)


def judged_again(report: Report, gates: Callable[[TargetReport, VariantReport], list[GateResult]]) -> Report:
    """The report with other gates, and every verdict made anew from them."""
    targets = []
    for target in report.targets:
        untimed = {leg.id: leg.untimed for leg in target.legs}
        variants = [judged(v, gates(target, v), untimed.get(leg_of(v.id), "")) for v in target.variants]
        targets.append(rejudged(target, target.legs, variants))
    return msgspec.structs.replace(report, targets=targets, verdict=report_verdict(targets, report.stages))


def judged(variant: VariantReport, gates: list[GateResult], untimed: str = "") -> VariantReport:
    """A variant with these gates, and no better a verdict than they have, or than it claims beyond its own gates."""
    if not variant.gates:
        if variant.verdict is not Verdict.PASS:
            return variant
        return msgspec.structs.replace(variant, verdict=Verdict.ERROR, reason="it claims to pass, and no gate of it was judged")
    same = gates is variant.gates or gates == variant.gates
    verdict = variant_verdict(gates)
    if variant.verdict is Verdict.SKIP:  # it stays out, unless a gate says worse
        verdict = verdict if any(g.blocking and g.verdict in _BAD for g in gates) else Verdict.SKIP
    elif variant.verdict is not (verdict if same else variant_verdict(variant.gates)):
        verdict = all_of([variant.verdict, verdict])
    if untimed and verdict is Verdict.PASS and variant.verdict is not Verdict.PASS:
        verdict = Verdict.SKIP  # it may fail, and cannot be the one that passes
    if same and verdict is variant.verdict:
        return variant
    reason = variant_reason(gates, verdict) or (untimed if verdict is Verdict.SKIP else "")
    if verdict is Verdict.ERROR and not reason:
        reason = variant.reason if any(g.blocking for g in gates) else "no gate is left that it must pass"
    return msgspec.structs.replace(variant, gates=gates, verdict=verdict, reason=reason)


def as_measured(gates: list[GateResult], alone: bool) -> list[GateResult]:
    """Gates without what was added to them later; the very list where nothing was.

    What the base branch's report says of them stays where its comparison is of the whole.
    """
    if all(_untouched(gate) and (alone or gate.before is None) for gate in gates):
        return gates
    bare = [unwaived(gate) for gate in gates]
    return bare if alone else [msgspec.structs.replace(gate, before=None) for gate in bare]


def unwaived(gate: GateResult) -> GateResult:
    """The gate as it was judged, before any waiver: only what blocks is ever waived."""
    if _untouched(gate):
        return gate
    reason = gate.reason.removesuffix(expiry(gate.expired)) if gate.expired else gate.reason
    blocking = gate.blocking or gate.waiver is not None
    return msgspec.structs.replace(gate, waiver=None, expired=None, blocking=blocking, reason=reason)


def _untouched(gate: GateResult) -> bool:
    return gate.waiver is None and gate.expired is None


def expiry(waiver: Waiver) -> str:
    """What is added to the reason of a gate whose waiver has expired."""
    return f"; the waiver of {waiver.owner} expired on {waiver.expires}"
