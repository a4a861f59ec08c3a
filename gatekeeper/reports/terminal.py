"""What a person sees at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gatekeeper.causes.short import shorts
from gatekeeper.ids import technique_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import LegReport, Report, StageReport, TargetReport
from gatekeeper.reports._basis import lines as basis_lines
from gatekeeper.reports._choice import chosen_to_try
from gatekeeper.reports._choice import lines as choice_lines
from gatekeeper.reports._data import lines as data_lines
from gatekeeper.reports._flips import line as flips
from gatekeeper.reports._plain import plain
from gatekeeper.reports._sentences import effort, loosened, waiver
from gatekeeper.reports._shared import Shared, said_by_leg, shared, told, unjudged
from gatekeeper.reports._terminal_table import COLORS, overview
from gatekeeper.reports._testing import lines
from gatekeeper.reports._verdict import WORDS, headline, waived

if TYPE_CHECKING:
    from rich.console import RenderableType

FILE_NAME = None

Line = tuple[str, str]
"""A text and the style it is shown in."""


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
    from rich.text import Text

    said: list[Line] = [(plain(line, 2000), "dim") for line in basis_lines(report)]
    said += [(plain(line, 2000), "dim") for line in [*choice_lines(report), *chosen_to_try(report)]]
    said += [line for target in report.targets for line in _target(report, target)]
    said += [_stage(stage) for stage in told(report)]
    said += [(plain(line, 2000), "yellow") for line in data_lines(report)]
    said += [(plain(note), "yellow") for note in [*report.notes, *loosened(report)]]
    verdict = Text()
    verdict.append(f"\n{WORDS[report.verdict].upper()}", style=f"bold {COLORS[report.verdict]}")
    verdict.append(f"  {plain(headline(report))}")
    return [*overview(report), *(Text(f"  {text}", style=style) for text, style in said), verdict]


def _target(report: Report, target: TargetReport) -> Iterator[Line]:
    for leg in target.legs:
        yield from _leg(leg)
    disagreements = target.agreement.findings if target.agreement else []
    for note in target.notes:
        yield f"{plain(target.name)}: {plain(note)}", "yellow" if note in disagreements else "dim"
    by_variant: dict[str, list[Shared]] = {}
    for reason in shared(target):
        by_variant.setdefault(reason.variants[0].id, []).append(reason)
    for variant in target.variants:
        if tested := list(lines(variant, target.leg_of(variant))):
            yield f"{plain(variant.id)}:", "dim"
            yield from ((f"  {line}", "dim") for line in tested)
        if variant.quality and variant.quality.flips and (flipped := flips(variant.quality.flips)):
            yield f"{plain(variant.id)}: {plain(flipped)}", "dim"
        if unjudged(variant) and not said_by_leg(target, variant):
            yield f"{plain(variant.id)}: {plain(variant.reason)}", COLORS[variant.verdict]
        for reason in by_variant.get(variant.id, []):
            yield _reason(reason)
            if why := shorts(report, target, reason.variants, reason.first):
                yield f"  ↳ {plain(why, 600)}", "dim"


def _leg(leg: LegReport) -> Iterator[Line]:
    name = plain(leg.id)
    if leg.error:
        yield f"{name}: {plain(leg.error)}", COLORS[Verdict.ERROR]
    if leg.untimed:
        yield f"{name} is not judged on time: {plain(leg.untimed)}", "dim"
    if leg.skip:
        yield f"{name} was left out: {plain(leg.skip)}", "dim"
    if leg.stopped in ("rounds", "budget"):
        yield f"{name}: {effort(leg)}", "dim"
    yield from ((f"{name}: {plain(note)}", "dim") for note in leg.notes)


def _reason(reason: Shared) -> Line:
    """Why gates did not pass: once, for all that say the same."""
    gate = reason.first
    who = plain(reason.variants[0].id)
    if len(reason.variants) > 1:
        who = f"{plain(reason.leg)} ({', '.join(plain(technique_of(v.id)) for v in reason.variants)})"
    warn = "" if gate.blocking or waived(gate) else " (warning only)"
    until = f"; {plain(waiver(gate), 800)}" if waived(gate) else ""
    said = f"{who}: {', '.join(map(plain, reason.names))}{warn}: {plain(gate.reason)}{until}"
    return f"{said}  [{', '.join(map(plain, reason.places))}]", COLORS[gate.verdict] if gate.blocking else "dim"


def _stage(stage: StageReport) -> Line:
    return f"stage {plain(stage.stage)}: {plain(stage.reason)}  [{plain(stage.where)}]", COLORS[stage.verdict]
