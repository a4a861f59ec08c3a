"""What keeps a report from passing or is worth a warning, one by one: what SARIF and annotations both show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, StageReport, TargetReport, VariantReport
from gatekeeper.reports._numbers import interval, limit
from gatekeeper.reports._plain import plain
from gatekeeper.reports._sentences import waiver
from gatekeeper.reports._shared import said_by_leg, told
from gatekeeper.reports._verdict import WORDS, blocks, waived

LEVELS = ("error", "warning")


@dataclass(frozen=True)
class Finding:
    """`about` tells it from all other findings, in this report and the next one."""

    kind: Literal["gate", "variant", "leg", "target", "stage", "report"]
    level: Literal["error", "warning"]
    about: str
    title: str
    message: str
    where: str = ""
    gate: GateResult | None = None


def findings(report: Report) -> list[Finding]:
    """What blocks first; a report that does not pass has at least one."""
    listed = [f for target in report.targets for f in _target(report, target)]
    # A stage that another kept from running follows from that one, which is listed itself.
    listed += [_stage(report, s) for s in told(report) if s.verdict is not Verdict.SKIP and not s.blocked_by]
    if not listed and report.verdict is not Verdict.PASS:
        said = f"{WORDS[report.verdict]}: nothing was measured"
        listed = [Finding("report", "error", "report", "gatekeeper", said)]
    return sorted(listed, key=lambda f: LEVELS.index(f.level))


def _target(report: Report, target: TargetReport) -> list[Finding]:
    own = []
    for leg in target.legs:
        if leg.error:
            own.append(Finding("leg", "error", leg.id, f"{plain(leg.id, 200)} was not measured", plain(leg.error)))
    for variant in target.variants:
        if not said_by_leg(target, variant):
            own += _variant(report, target, variant)
    if not own and target.verdict is not Verdict.PASS:
        title, said = f"target {plain(target.name, 200)}", _sentence(target.verdict, target.reason)
        own.append(Finding("target", _level(report, target.verdict), target.name, title, said))
    return own


def _variant(report: Report, target: TargetReport, variant: VariantReport) -> Iterator[Finding]:
    if variant.verdict is Verdict.SKIP:
        return
    name = plain(variant.id, 200)
    if variant.verdict is not Verdict.PASS and (not variant.gates or (variant.verdict is Verdict.ERROR and not variant.artifact)):
        level = "warning" if target.verdict is Verdict.PASS else _level(report, variant.verdict)
        yield Finding("variant", level, variant.id, name, _sentence(variant.verdict, variant.reason))
        return
    for gate in variant.gates:
        if gate.verdict not in (Verdict.PASS, Verdict.SKIP):
            title = f"{plain(gate.gate, 60)} of {name}"
            level = "error" if blocks(report, target, gate) else "warning"
            yield Finding("gate", level, f"{variant.id}\n{gate.gate}", title, _says(target, gate), gate.where, gate)


def _says(target: TargetReport, gate: GateResult) -> str:
    said = _sentence(gate.verdict, gate.reason)
    if gate.observed is not None:
        said += f"; {interval(gate)}, limit {limit(gate) or 'none'}"
    if waived(gate):
        return f"{said}; {waiver(gate)}"
    return f"{said}; the target passes with another variant" if gate.blocking and target.verdict is Verdict.PASS else said


def _stage(report: Report, stage: StageReport) -> Finding:
    title = f"stage {plain(stage.stage, 80)}"
    level, said = _level(report, stage.verdict), _sentence(stage.verdict, stage.reason)
    return Finding("stage", level, stage.stage, title, said, stage.where)


def _sentence(verdict: Verdict, reason: str) -> str:
    return f"{WORDS[verdict]}: {plain(reason)}" if reason.strip() else WORDS[verdict]


def _level(report: Report, verdict: Verdict) -> Literal["error", "warning"]:
    undecided = verdict is Verdict.INCONCLUSIVE and report.pipeline.on_inconclusive == "warn"
    return "warning" if undecided else "error"
