"""The testing stage in the Markdown report: a folded part for each target that was tested."""

from __future__ import annotations

from gatekeeper.records.base import Verdict
from gatekeeper.records.report import LegReport, TargetReport, VariantReport
from gatekeeper.records.tested import Check, LoadRun
from gatekeeper.reports._markdown_table import mark
from gatekeeper.reports._markdown_text import code, folded, row, table, text
from gatekeeper.reports._testing import HEAD, cells, counted, judged, peak
from gatekeeper.reports._verdict import MARKS

MOST_CHECKS = 300
"""Checks of a variant that are listed by name; those that failed come first."""

MOST_FAILED = 10
"""The same where room is short, and only of those that did not pass."""


def testing(target: TargetReport, brief: bool = False) -> str:
    """Load by scenario and model, then the checks; where it is to be brief only those that did not pass."""
    legs, variants = [leg for leg in target.legs if leg.tested], [v for v in target.variants if v.tested]
    names = {leg.id: f"baseline in {leg.framework}" if len(target.legs) > 1 else "baseline" for leg in legs}
    rows = [_row(names[leg.id], run, "") for leg in legs if leg.tested for run in leg.tested.load]
    rows += [_row(_name(v), run, _verdicts(v, run)) for v in variants if v.tested for run in v.tested.load]
    notes = [_notes(names[leg.id], leg) for leg in legs if leg.tested and leg.tested.notes]
    said = [line for v in variants for line in _variant(v, target, brief)]
    if not (rows or notes or said):
        return ""
    lines = [*table(["", *HEAD, "verdict"], rows), ""] if rows else []
    return folded(f"Tests on {text(target.name)}", [*lines, *notes, *said])


def _name(variant: VariantReport) -> str:
    return f"{variant.framework}/{variant.technique}"


def _row(name: str, run: LoadRun, verdicts: str) -> str:
    return row([code(name), *map(text, cells(run)), verdicts])


def _verdicts(variant: VariantReport, run: LoadRun) -> str:
    return ", ".join(f"{mark(gate)} {text(gate.gate, 60)}" for gate in judged(variant, run))


def _notes(name: str, leg: LegReport) -> str:
    assert leg.tested
    return f"- {code(name)}: {text('; '.join(leg.tested.notes), 2000)}"


def _variant(variant: VariantReport, target: TargetReport, brief: bool) -> list[str]:
    tested = variant.tested
    assert tested
    leg = target.leg_of(variant)
    facts = [*counted(tested), *filter(None, [peak(tested, leg.tested if leg else None)]), *tested.notes]
    checks = sorted(tested.checks, key=_urgency)
    if brief:
        checks = [check for check in checks if check.verdict not in (Verdict.PASS, Verdict.SKIP)]
    shown = checks[: MOST_FAILED if brief else MOST_CHECKS]
    lines = [f"- {code(_name(variant))}: {text('; '.join(facts), 2000)}"] if facts else []
    lines += [f"  - {MARKS[c.verdict]} {code(c.name)}" + (f": {text(c.reason)}" if c.reason else "") for c in shown]
    more = len(checks) - len(shown)
    return lines + ([f"  - {more} more are in report.json"] if more > 0 else [])


def _urgency(check: Check) -> int:
    order = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.SKIP)
    return order.index(check.verdict)
