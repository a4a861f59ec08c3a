"""What did not pass and by how much, what is waived, what changed against the base branch, what to know beside it."""

from __future__ import annotations

from gatekeeper.causes.short import shorts
from gatekeeper.ids import technique_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, TargetReport, VariantReport
from gatekeeper.reports._markdown_table import WARNING, mark
from gatekeeper.reports._markdown_text import code, text
from gatekeeper.reports._sentences import loosened, waiver
from gatekeeper.reports._shared import Shared, said_by_leg, shared, told, unjudged
from gatekeeper.reports._verdict import MARKS, WORDS, blocks, waived

MOST_NAMED = 10
"""Variants and limits that a line lists by name; the others are counted."""

_URGENT = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)


def failures(report: Report) -> list[str]:
    """A line for each thing that did not pass, what keeps the report from passing first."""
    ranked: list[tuple[int, str]] = []
    for target in report.targets:
        for leg in target.legs:
            if leg.error:
                ranked.append((1, f"- {MARKS[Verdict.ERROR]} {code(leg.id)}: {text(leg.error)}"))
            if leg.untimed:
                ranked.append((9, f"- {MARKS[Verdict.SKIP]} {code(leg.id)} is not judged on time: {text(leg.untimed)}"))
            if leg.skip:
                ranked.append((9, f"- {MARKS[Verdict.SKIP]} {code(leg.id)} was left out: {text(leg.skip)}"))
        ranked += [
            _unjudged(target, variant) for variant in target.variants if unjudged(variant) and not said_by_leg(target, variant)
        ]
        ranked += [_reason(report, target, reason) for reason in shared(target)]
    stages = [s for s in told(report) if s.verdict in _URGENT and not s.blocked_by]
    ranked += [(_URGENT.index(s.verdict), f"- {MARKS[s.verdict]} stage {code(s.stage)}: {text(s.reason)}") for s in stages]
    return list(dict.fromkeys(line for _, line in sorted(ranked, key=lambda item: item[0])))


def _unjudged(target: TargetReport, variant: VariantReport) -> tuple[int, str]:
    if variant.verdict is Verdict.SKIP:
        how = "cannot be the one that passes" if variant.artifact else "was left out"
        return 9, f"- {MARKS[Verdict.SKIP]} {code(variant.id)} {how}: {text(variant.reason)}"
    rank = 4 if target.verdict is Verdict.PASS else 1
    return rank, f"- {MARKS[Verdict.ERROR]} {code(variant.id)}: {text(variant.reason)}"


def _reason(report: Report, target: TargetReport, reason: Shared) -> tuple[int, str]:
    """Why gates did not pass: once, for all that say the same."""
    gate = reason.first
    who = code(reason.variants[0].id)
    if len(reason.variants) > 1:
        shown = ", ".join(code(technique_of(v.id)) for v in reason.variants[:MOST_NAMED])
        more = len(reason.variants) - MOST_NAMED
        who = f"{code(reason.leg)} ({shown}{f' and {more} more' if more > 0 else ''})"
    where = f" ({', '.join(map(code, reason.places))})" if reason.places else ""
    said = f"- {mark(gate)} {who} **{', '.join(map(text, reason.names))}**: {text(gate.reason)}{where}"
    said += f"; {text(waiver(gate), 800)}" if waived(gate) else ""
    why = shorts(report, target, reason.variants, gate)
    return _rank(report, target, gate), said + (f"\n  - {text(why, 600)}" if why else "")


def _rank(report: Report, target: TargetReport, gate: GateResult) -> int:
    """What blocks comes first, then what would have blocked."""
    if blocks(report, target, gate):
        return _URGENT.index(gate.verdict)
    return 6 if waived(gate) else 3 + _URGENT.index(gate.verdict) if gate.blocking else 8


def against_base(report: Report) -> list[str]:
    """What a reviewer must know of the limits, and of the base branch's report."""
    lines = _some([f"> {WARNING} {text(said)}" for said in loosened(report)])
    base = report.base
    if base is None:
        return lines
    at = f" at {code(base.commit[:12])}" if base.commit else ""
    model = "the same model file" if base.same_model else "another model file"
    changed = "" if base.changed else "; nothing changed by more than noise"
    lines.append(f"> compared with the base branch{at} ({MARKS[base.verdict]} {WORDS[base.verdict]}, {model}){changed}")
    for title, names in (("gone since base", base.gone), ("new since base", base.new)):
        if names:
            shown = ", ".join(code(name) for name in names[:MOST_NAMED])
            lines.append(f"> {title}: {shown}" + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""))
    return lines


def warnings(report: Report) -> list[str]:
    """What a reader should know before believing a close call: of the machines, and of answers that differ."""
    lines = _some_notes([f"> {WARNING} {text(note)}" for note in report.notes])
    lines += [f"> {WARNING} {code(leg.id)}: {text(note)}" for t in report.targets for leg in t.legs for note in leg.notes]
    lines += [f"> {WARNING} {code(t.name)}: {text(note)}" for t in report.targets if t.agreement for note in t.agreement.findings]
    return list(dict.fromkeys(lines))


def _some_notes(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_NAMED
    return lines[:MOST_NAMED] + ([f"> {WARNING} {more} more notes are in report.json"] if more > 0 else [])


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_NAMED
    return lines[:MOST_NAMED] + ([f"> {WARNING} {more} more limits are looser"] if more > 0 else [])
