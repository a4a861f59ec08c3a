"""A report beside that of the base branch: what became better, worse, looser, and what is only noise. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gatekeeper.gates._base import of_testing
from gatekeeper.ids import leg_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.data import CALIBRATION, EVALUATION, Data, DataSet, further
from gatekeeper.records.gates import Before, GateResult
from gatekeeper.records.report import Base, Report, TargetReport, VariantReport
from gatekeeper.units import format_limit
from gatekeeper.verdicts.notes import renoted

LONGEST_UNIT = 20
"""Characters of a unit that are shown: a report may be a stranger's."""


def compared(report: Report, base: Report) -> Report:
    """The report with what the base report says of the same gates, and what differs. No verdict is touched."""
    old = {variant.id: variant for target in base.targets for variant in target.variants}
    here = {variant.id for target in report.targets for variant in target.variants}
    targets = [
        msgspec.structs.replace(target, variants=[_beside(variant, old.get(variant.id)) for variant in target.variants])
        for target in report.targets
    ]
    gone = [name for name in old if name not in here and _should_be_here(leg_of(name), report)]
    new = [variant.id for target in targets for variant in target.variants if variant.id not in old]
    not_tested = any(s.stage == "testing" and s.blocked_by for s in report.stages)
    loosened = [said for target in targets for said in _loosened(target, old, not_tested)]
    data = _data_beside(report, base)
    moved = data is not None and any(each.changed for each in data.sets.values())
    differs = (
        moved
        or report.verdict is not base.verdict
        or bool(gone or new or loosened)
        or any(_differs(t, base, old) for t in targets)
    )
    stranger = "base report: nothing could be compared, it has none of these variants. Was it made from this pipeline file?"
    return msgspec.structs.replace(
        renoted(report, "base", [] if here & set(old) else [stranger]),
        targets=targets,
        data=data,
        base=Base(
            verdict=base.verdict,
            commit=base.commit,
            created=base.created,
            same_model=base.model.sha256 == report.model.sha256,
            gone=gone,
            new=new,
            loosened=list(dict.fromkeys(loosened)),
            changed=differs,
        ),
    )


def _data_beside(report: Report, base: Report) -> Data | None:
    """The sets beside those of the base report, where no policy has said what they are there."""
    if report.data is None or base.data is None:
        return report.data
    at, before = f"base at {base.commit[:12]}" if base.commit else "the base report", base.data.sets

    def beside(what: str, each: DataSet | None) -> DataSet | None:
        if each is None or each.before or what not in before:
            return each
        return msgspec.structs.replace(each, before=before[what].sha256, at=at)

    return msgspec.structs.replace(
        report.data,
        evaluation=beside(EVALUATION, report.data.evaluation),
        calibration=beside(CALIBRATION, report.data.calibration),
        also={name: own for name, each in report.data.also.items() if (own := beside(further(name), each))},
    )


def _should_be_here(leg: str, report: Report) -> bool:
    """Whether a leg's variants would be in the report if they still existed: not if it is another job's, or failed."""
    present = next((each for target in report.targets for each in target.legs if each.id == leg), None)
    return not present.error if present else leg not in report.pipeline.legs


def _beside(variant: VariantReport, old: VariantReport | None) -> VariantReport:
    before = {gate.gate: gate for gate in old.gates} if old else {}
    return msgspec.structs.replace(
        variant, gates=[msgspec.structs.replace(g, before=_before(before.get(g.gate))) for g in variant.gates]
    )


def _before(gate: GateResult | None) -> Before | None:
    if gate is None:
        return None
    return Before(verdict=gate.verdict, observed=gate.observed, lower=gate.lower, upper=gate.upper, limit=gate.limit)


def _loosened(target: TargetReport, old: dict[str, VariantReport], not_tested: bool) -> Iterator[str]:
    """Limits that were stricter, once for all variants of a target that share them.

    Where the run ended before the testing stage, its gates are not there, and their limits no looser for it.
    """
    for variant in target.variants:
        before = old.get(variant.id)
        if before is None or not variant.gates:
            continue
        here = {gate.gate: gate for gate in variant.gates}
        for gate in before.gates:
            now = here.get(gate.gate)
            if now is None and not_tested and of_testing(gate.gate):
                continue
            if said := _looser(gate, now):
                yield f"{target.name}: {gate.gate} {said}"


def _looser(before: GateResult, now: GateResult | None) -> str:
    if before.limit is None or not _blocks(before):
        return ""
    was = f"{_limit(before)} in the base report"
    if now is None:
        return f"{was}, not here"
    if now.limit is None:
        return f"{was}, disabled here" if now.verdict is Verdict.SKIP and not now.blocking else ""
    if before.measured_limit and now.measured_limit:
        return "" if _blocks(now) else f"{was}, {_limit(now)} here and without blocking"
    if now.limit < before.limit if before.bound == "at_least" else now.limit > before.limit:
        return f"{was}, {_limit(now)} here"
    return "" if _blocks(now) else f"{was}, {_limit(now)} here and without blocking"


def _limit(gate: GateResult) -> str:
    """In words that a reporter cleans before it shows them."""
    return format_limit(gate.bound, gate.limit, gate.unit[:LONGEST_UNIT])


def _blocks(gate: GateResult) -> bool:
    return gate.blocking or gate.waiver is not None


def _differs(target: TargetReport, base: Report, old: dict[str, VariantReport]) -> bool:
    """Whether a target differs by more than noise."""
    before = next((each for each in base.targets if each.name == target.name), None)
    if before is None or before.verdict is not target.verdict:
        return True
    return any(_variant_differs(variant, old[variant.id]) for variant in target.variants if variant.id in old)


def _variant_differs(variant: VariantReport, before: VariantReport) -> bool:
    if variant.verdict is not before.verdict:
        return True
    was, here = ({gate.gate: gate for gate in each.gates} for each in (before, variant))
    return was.keys() != here.keys() or any(_gate_differs(here[name], was[name]) for name in here)


def _gate_differs(gate: GateResult, before: GateResult) -> bool:
    limits_differ = gate.limit != before.limit and not (gate.measured_limit and before.measured_limit)
    if limits_differ or gate.blocking != before.blocking or (gate.waiver is None) != (before.waiver is None):
        return True
    if _blocks(gate) and gate.verdict is not before.verdict:
        return True  # of a gate that only warns, an undecided verdict comes and goes
    if gate.lower is None or gate.upper is None or before.lower is None or before.upper is None:
        return False
    return gate.lower > before.upper or gate.upper < before.lower
