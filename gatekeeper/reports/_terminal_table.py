"""The table at the top of what a terminal shows: a row per variant, a column per gate, one for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.gates._base import of_testing
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, VariantReport
from gatekeeper.reports._numbers import common_limits, interval, limit
from gatekeeper.reports._pareto import PARETO, PARETO_LEGEND, worth_a_look
from gatekeeper.reports._plain import plain
from gatekeeper.reports._verdict import WORDS, columns, waived

if TYPE_CHECKING:
    from rich.console import RenderableType

COLORS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.ERROR: "magenta",
    Verdict.SKIP: "dim",
}


def overview(report: Report) -> list[RenderableType]:
    """The table, and what its signs mean; nothing where no gate was judged."""
    from rich.table import Table
    from rich.text import Text

    variants = [v for t in report.targets for v in t.variants]
    gates = columns(variants)
    if not any(v.gates for v in variants):
        return []
    names, tests = [name for name in gates if not of_testing(name)], any(map(of_testing, gates))
    common = common_limits(names, variants)
    table = Table(highlight=False)
    table.add_column("variant", overflow="fold", ratio=2)
    for name in names:
        table.add_column(Text(f"{plain(name)}\n{common[name] or ''}"))
    if tests:
        table.add_column("tests")
    table.add_column("verdict")
    marked = set[str]().union(*(worth_a_look(target) for target in report.targets))
    for target in report.targets:
        for variant in target.variants:
            by_name = {g.gate: g for g in variant.gates}
            mark = f" {PARETO}" * (variant.id in marked) + " <- best" * (variant.id == target.selected)
            cells = [_cell(by_name.get(name), own_limit=common[name] is None) for name in names]
            cells += [_tests(variant)] * tests
            table.add_row(Text(plain(variant.id) + mark), *cells, Text(WORDS[variant.verdict], style=COLORS[variant.verdict]))
    return [table, Text(f"  {PARETO_LEGEND}", style="dim")] if marked else [table]


def _cell(gate: GateResult | None, own_limit: bool) -> RenderableType:
    from rich.text import Text

    if gate is None:
        return Text("")
    shown = f"{plain(interval(gate))}{_sign(gate)}" + (f" {plain(limit(gate))}" if own_limit else "")
    return Text(shown, style=COLORS[gate.verdict] if gate.blocking else "dim")


def _tests(variant: VariantReport) -> RenderableType:
    """All gates of the testing stage in one cell."""
    from rich.text import Text

    gates = [g for g in variant.gates if of_testing(g.gate) and g.verdict is not Verdict.SKIP]
    bad = [g for g in gates if g.verdict is not Verdict.PASS]
    shown = Text("\n").join(Text(_name(g), style=COLORS[g.verdict] if g.blocking else "dim") for g in bad)
    if gates:
        shown.append("\n" * bool(bad) + f"{len(gates) - len(bad)} of {len(gates)}", style="" if bad else COLORS[Verdict.PASS])
    return shown


def _sign(gate: GateResult) -> str:
    return " waived" if waived(gate) else {Verdict.FAIL: " ✗", Verdict.INCONCLUSIVE: " ?"}.get(gate.verdict, "")


def _name(gate: GateResult) -> str:
    return f"{plain(gate.gate)}{_sign(gate)}" + (f" {WORDS[gate.verdict]}" if gate.verdict is Verdict.ERROR else "")
