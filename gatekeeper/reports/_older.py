"""Reports written before there were fields for what their sentences say: the one place that reads sentences.

Such a report has no `remarks`. Its words were written by this program, as they are taken apart here.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult, Waiver
from gatekeeper.records.measured import Control
from gatekeeper.records.report import Note, Report, StageReport

_KINDS = (("waiver ", "waiver"), ("base report: ", "base"), ("the plan holds ", "plan"))
"""How notes began that spoke of these."""
_BLOCKED = re.compile(r"not run, because (.*) did not pass", re.DOTALL)
_DEFERRED = "; left to the merged report: the comparison across the legs of "
_EXPIRED = re.compile(r"; the waiver of (.*) expired on (.*)", re.DOTALL)


def with_fields(report: Report) -> Report:
    """The report with the fields that say what its sentences say."""
    targets = [
        msgspec.structs.replace(
            target,
            variants=[msgspec.structs.replace(each, gates=[_gate(gate) for gate in each.gates]) for each in target.variants],
        )
        for target in report.targets
    ]
    remarks = [Note(kind=kind, text=text) for text in report.notes for start, kind in _KINDS if text.startswith(start)]  # type: ignore[arg-type]
    return msgspec.structs.replace(report, targets=targets, stages=[_stage(each) for each in report.stages], remarks=remarks)


def _stage(stage: StageReport) -> StageReport:
    blocked = _BLOCKED.fullmatch(stage.reason)
    _, _, left = stage.reason.partition(_DEFERRED)
    return msgspec.structs.replace(
        stage, blocked_by=blocked[1] if blocked else "", deferred=left.split(", ") if left and not blocked else []
    )


def _gate(gate: GateResult) -> GateResult:
    """The gate, a new one only where its sentence or its details hold something."""
    more: dict[str, Any] = {}
    if gate.verdict is Verdict.PASS and " (" in gate.reason:
        more["brief"] = gate.reason.split(" (")[0]
    if gate.details.get("settled") is True:
        more["settled"] = True
    if gate.details.get("measured_limit") is True:
        more["measured_limit"] = True
    if control := _control(gate.details.get("control")):
        more["control"] = control
    if "; the waiver of " in gate.reason and (match := _EXPIRED.search(gate.reason)):
        # What it tolerated is not said: no more than the limit is the least it can have been.
        owner, expires, ceiling = match[1], match[2], gate.limit or 0.0
        more["expired"] = Waiver(ceiling=ceiling, reason="", owner=owner, expires=expires)
    return msgspec.structs.replace(gate, **more) if more else gate


def _control(stated: Any) -> Control | None:
    match stated:
        case [int() | float() as low, int() | float() as high]:
            try:
                return Control(observed=None, lower=float(low), upper=float(high))
            except OverflowError:  # a stranger's number, and no bound
                return Control(observed=None, lower=None, upper=None)
    return None
