"""The overview: a row per variant, a column per gate."""

from __future__ import annotations

from collections.abc import Mapping

from gatekeeper.gates._base import of_testing
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, TargetReport, VariantReport
from gatekeeper.reports._markdown_text import code, row, table, text
from gatekeeper.reports._numbers import common_limits, interval, limit, value
from gatekeeper.reports._verdict import MARKS, columns, waived

WAIVED, WARNING = "⏳", "⚠️"


def mark(gate: GateResult) -> str:
    """The sign of a gate's verdict; another one where it failed and does not block."""
    if waived(gate):
        return WAIVED
    return MARKS[gate.verdict] if gate.blocking or gate.verdict in (Verdict.PASS, Verdict.SKIP) else WARNING


def overview(report: Report, rows: list[tuple[TargetReport, VariantReport]], letters: Mapping[str, str]) -> list[str]:
    """The lines of the table of these variants, none without any; `letters` name the points of the chart."""
    if not rows:
        return []
    gates = columns(v for _, v in rows)
    names, tests = [name for name in gates if not of_testing(name)], any(map(of_testing, gates))
    common = common_limits(names, [v for _, v in rows])
    head = ["", "target", "variant", *(text(f"{name} {common[name] or ''}").strip() for name in names), *["tests"] * tests]
    lines = []
    for target, variant in rows:
        letter = f" {letters[variant.id]}" if variant.id in letters else ""
        chosen = " **←**" if variant.id == target.selected else ""
        by_name = {g.gate: g for g in variant.gates}
        cells = [_cell(by_name.get(name), own_limit=common[name] is None) for name in names]
        cells += [_tests(variant)] * tests
        name = code(f"{variant.framework}/{variant.technique}") + letter + chosen
        since = [_since_base(report, variant)] if report.base else []
        lines.append(row([MARKS[variant.verdict], code(target.name), name, *cells, *since]))
    return table(head + (["since base"] if report.base else []), lines)


def legend(report: Report, rows: list[tuple[TargetReport, VariantReport]]) -> str:
    """What the signs of the table mean, those that are in it."""
    said = ["**←** the best passing variant of its target"] if any(v.id == t.selected for t, v in rows) else []
    if any(waived(g) for _, v in rows for g in v.gates):
        said.append(f"{WAIVED} failed and waived")
    if report.base:
        said.append("**=** nothing changed by more than noise")
    return " · ".join(said)


def _cell(gate: GateResult | None, own_limit: bool) -> str:
    if gate is None:
        return ""
    return f"{mark(gate)} {text(interval(gate))}" + (f" {text(limit(gate))}" if own_limit else "")


def _tests(variant: VariantReport) -> str:
    """All gates of the testing stage in one cell: how many pass, and the names of those that do not."""
    gates = [g for g in variant.gates if of_testing(g.gate)]
    judged = [g for g in gates if g.verdict is not Verdict.SKIP]
    if not judged:
        return MARKS[Verdict.SKIP] if gates else ""
    bad = [g for g in judged if g.verdict is not Verdict.PASS]
    count = f"{len(judged) - len(bad)} of {len(judged)}"
    return ", ".join(f"{mark(g)} {text(g.gate)}" for g in bad) + f"; {count} pass" if bad else f"{MARKS[Verdict.PASS]} {count}"


def _since_base(report: Report, variant: VariantReport) -> str:
    """What is other than in the base branch's report by more than noise."""
    if report.base and variant.id in report.base.new:
        return "new"
    compared = [g for g in variant.gates if g.before]
    if not compared:
        return "not compared"
    changes = [_change(g) for g in compared if _changed(g)]
    return "; ".join(changes[:4]) + (f"; {len(changes) - 4} more" if len(changes) > 4 else "") if changes else "="


def _changed(gate: GateResult) -> bool:
    """Whether the verdict is another, or the two intervals have no value in common."""
    before = gate.before
    if before is None:
        return False
    if before.verdict is not gate.verdict:
        return True
    if gate.observed is None or before.observed is None:
        return False
    lower, upper = _bounds(gate.lower, gate.upper, gate.observed)
    was_lower, was_upper = _bounds(before.lower, before.upper, before.observed)
    return upper < was_lower or was_upper < lower


def _bounds(lower: float | None, upper: float | None, observed: float) -> tuple[float, float]:
    """An open bound is no bound."""
    if lower is None and upper is None:
        return observed, observed
    return (float("-inf") if lower is None else lower), (float("inf") if upper is None else upper)


def _change(gate: GateResult) -> str:
    before = gate.before
    assert before
    signs = f" {MARKS[before.verdict]}→{mark(gate)}" if before.verdict is not gate.verdict else ""
    was, now = value(gate, before.observed), value(gate, gate.observed)
    return text(gate.gate, 60) + signs + (f" {text(f'{was} → {now}')}" if was != now else "")
