"""What a person sees at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, VariantReport
from gatekeeper.reports._base import (
    PARETO,
    PARETO_LEGEND,
    WORDS,
    common_limit,
    effort,
    headline,
    interval,
    limit,
    of_testing,
    plain,
    waived,
    waiver,
    worth_a_look,
)
from gatekeeper.reports._testing import leg_of, lines

if TYPE_CHECKING:
    from rich.console import RenderableType

FILE_NAME = None

_COLORS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.ERROR: "magenta",
    Verdict.SKIP: "dim",
}


def render(report: Report) -> str:
    """Plain text, 120 columns."""
    import io

    from rich.console import Console

    console = Console(file=io.StringIO(), width=120, highlight=False)
    for part in renderables(report):
        console.print(part)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def renderables(report: Report) -> list[RenderableType]:
    """A table of variants and gates, what did not pass, and the verdict last, where the eye ends."""
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    gates = [g.gate for t in report.targets for v in t.variants for g in v.gates]
    names, tests = [name for name in dict.fromkeys(gates) if not of_testing(name)], any(map(of_testing, gates))
    if gates:
        common = {name: common_limit(name, [v for t in report.targets for v in t.variants]) for name in names}
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
                table.add_row(Text(plain(variant.id) + mark), *cells, _verdict(variant.verdict))
        parts.append(table)
        if marked:
            parts.append(Text(f"  {PARETO_LEGEND}", style="dim"))
    for target in report.targets:
        for leg in target.legs:
            if leg.error:
                parts.append(Text(f"  {plain(leg.id)}: {plain(leg.error)}", style=_COLORS[Verdict.ERROR]))
            if leg.untimed:
                parts.append(Text(f"  {plain(leg.id)} is not judged on time: {plain(leg.untimed)}", style="dim"))
            if leg.skip:
                parts.append(Text(f"  {plain(leg.id)} was left out: {plain(leg.skip)}", style="dim"))
            if leg.stopped in ("rounds", "budget"):
                parts.append(Text(f"  {plain(leg.id)}: {effort(leg)}", style="dim"))
            parts += [Text(f"  {plain(leg.id)}: {plain(note)}", style="dim") for note in leg.notes]
        found = target.agreement.findings if target.agreement else []
        for note in target.notes:
            parts.append(Text(f"  {plain(target.name)}: {plain(note)}", style="yellow" if note in found else "dim"))
        for variant in target.variants:
            if tested := list(lines(variant, leg_of(variant, target.legs))):
                parts.append(Text(f"  {plain(variant.id)}:", style="dim"))
                parts += [Text(f"    {line}", style="dim") for line in tested]
            if variant.verdict is Verdict.SKIP or (variant.verdict is Verdict.ERROR and variant.artifact is None):
                parts.append(Text(f"  {plain(variant.id)}: {plain(variant.reason)}", style=_COLORS[variant.verdict]))
                continue
            for gate in variant.gates:
                if gate.verdict not in (Verdict.PASS, Verdict.SKIP):
                    style = _COLORS[gate.verdict] if gate.blocking else "dim"
                    warn = "" if gate.blocking or waived(gate) else " (warning only)"
                    until = f"; {plain(waiver(gate), 800)}" if waived(gate) else ""
                    said = f"  {plain(variant.id)}: {plain(gate.gate)}{warn}: {plain(gate.reason)}{until}  [{plain(gate.where)}]"
                    parts.append(Text(said, style=style))
    for stage in report.stages:
        if stage.verdict is not Verdict.PASS:
            parts.append(
                Text(f"  stage {plain(stage.stage)}: {plain(stage.reason)}  [{plain(stage.where)}]", style=_COLORS[stage.verdict])
            )
    parts += [Text(f"  {plain(note)}", style="yellow") for note in report.notes]
    loosened = [f"not applied: {said}" for said in report.pipeline.loosened] + (report.base.loosened if report.base else [])
    parts += [Text(f"  a limit is looser: {plain(said)}", style="yellow") for said in loosened]
    verdict = Text()
    verdict.append(f"\n{WORDS[report.verdict].upper()}", style=f"bold {_COLORS[report.verdict]}")
    verdict.append(f"  {plain(headline(report))}")
    parts.append(verdict)
    return parts


def _sign(gate: GateResult) -> str:
    return " waived" if waived(gate) else {Verdict.FAIL: " ✗", Verdict.INCONCLUSIVE: " ?"}.get(gate.verdict, "")


def _name(gate: GateResult) -> str:
    return f"{plain(gate.gate)}{_sign(gate)}" + (f" {WORDS[gate.verdict]}" if gate.verdict is Verdict.ERROR else "")


def _cell(gate: GateResult | None, own_limit: bool) -> RenderableType:
    from rich.text import Text

    if gate is None:
        return Text("")
    shown = f"{plain(interval(gate))}{_sign(gate)}" + (f" {plain(limit(gate))}" if own_limit else "")
    return Text(shown, style=_COLORS[gate.verdict] if gate.blocking else "dim")


def _tests(variant: VariantReport) -> RenderableType:
    """All gates of the testing stage in one cell."""
    from rich.text import Text

    gates = [g for g in variant.gates if of_testing(g.gate) and g.verdict is not Verdict.SKIP]
    bad = [g for g in gates if g.verdict is not Verdict.PASS]
    shown = Text("\n").join(Text(_name(g), style=_COLORS[g.verdict] if g.blocking else "dim") for g in bad)
    if gates:
        shown.append("\n" * bool(bad) + f"{len(gates) - len(bad)} of {len(gates)}", style="" if bad else _COLORS[Verdict.PASS])
    return shown


def _verdict(verdict: Verdict) -> RenderableType:
    from rich.text import Text

    return Text(WORDS[verdict], style=_COLORS[verdict])
