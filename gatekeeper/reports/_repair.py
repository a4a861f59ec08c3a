"""A repair as people read it: what to change and what it reached, or why there is none; what was tried, and what that lost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatekeeper.records.base import Verdict
from gatekeeper.records.repaired import Edit, Lost, No, Repair, Tried
from gatekeeper.reports._markdown_text import code, folded, text
from gatekeeper.reports._numbers import interval, limit
from gatekeeper.reports._plain import as_written, plain
from gatekeeper.units import format_duration, format_value

WORDS = {"bounded": "bounded", "not_reached": "not reached", "not_tried": "not tried"}
STEPS = {"unsuited": "does not suit", "unmade": "could not be made", "waiting": "not tried"}
MOST = 40


def lines(found: Repair) -> list[str]:
    """For a terminal or a log."""
    return [*_head(found), *_lines(found), *_tried(found), *(f"Note: {plain(note)}" for note in found.notes)]


def _head(found: Repair) -> Iterator[str]:
    if found.outcome == "nothing_to_repair":
        yield f"{plain(found.file)} passes as it stands: there is nothing to repair."
    elif found.outcome == "no":
        yield f"No repair of {plain(found.file)} was found in {format_duration(found.seconds)}."
        yield from (f"  {said(each)}" for each in found.no)
    else:
        took = format_duration(found.seconds)
        yield f"{plain(found.variant)} passes with this change ({plain(found.remedy)}), found in {took}:"
        yield ""
        yield from patch_lines(found)
        yield ""
        for gate in found.gates:
            if gate.blocking and gate.verdict is Verdict.PASS:
                yield f"  {plain(gate.gate)}: {interval(gate)}, limit {limit(gate)}"


def patch_lines(found: Repair) -> list[str]:
    """The diff, line by line, with nothing hidden in it."""
    return [as_written(line) for line in found.patch.split("\n")[:-1]]


def _lines(found: Repair) -> Iterator[str]:
    for each in found.lines:
        without = "; ".join(lost(one) for one in each.lost) or "it was not measured for want of time"
        yield f"  without {edit(each.edit)}: {without}"


def _tried(found: Repair) -> Iterator[str]:
    if found.tried:
        yield ""
        yield "Tried:"
    for each in found.tried[:MOST]:
        yield f"  {plain(each.remedy)}{_of(each)}: {result(each)}"
    if len(found.tried) > MOST:
        yield f"  and {len(found.tried) - MOST} more, see repair.json"


def _of(each: Tried) -> str:
    return f" ({', '.join(edit(one) for one in each.edits)})" if each.edits else ""


def edit(one: Edit) -> str:
    """A value that is set, without what all of them share."""
    return plain(str(one).removeprefix("optimization.techniques."), 200)


def result(each: Tried) -> str:
    """What became of a try, and by how much it lost."""
    if each.passed:
        return "passes"
    if each.step in STEPS:
        return f"{STEPS[each.step]}: {plain(each.reason)}" if each.reason else STEPS[each.step]
    seen = [f"{each.same:.1%} answered as before"] if each.same is not None else []
    seen += [f"divergence {each.kl:.2g}"] if each.kl is not None else []
    seen += [f"{each.speedup:.2f}x"] if each.speedup is not None else []
    losses = "; ".join(lost(one) for one in each.lost)
    rejected = f"; lost {losses}" if losses else f"; {plain(each.reason) or 'another was better'}"
    how = "measured fully" if each.step == "confirmed" else "cheaply"
    return f"{how}: {', '.join(seen) or 'nothing is known'}{rejected}"


def lost(one: Lost) -> str:
    """A gate that was lost, and by how much."""
    unit = plain(one.unit, 20)
    if one.observed is None or one.limit is None:
        return f"{plain(one.gate)} ({plain(one.reason) or one.verdict})"
    value = f"{format_value(one.observed, unit)}"
    value += f", bound {format_value(one.bound, unit)}" if one.bound is not None and one.bound != one.observed else ""
    about = " about" if one.estimated else ""
    return f"{plain(one.gate)}:{about} {value}, limit {format_value(one.limit, unit)}"


def said(each: No) -> str:
    """One answer."""
    of = f" {plain(each.gate)}" if each.gate else ""
    remedies = f" ({plain(', '.join(each.remedies))})" if each.remedies else ""
    return f"{WORDS[each.word]}{of}: {plain(each.reason)}{remedies}"


def markdown(found: Repair, suggested: bool = False) -> str:
    """For a pull request: a diff to paste, or what it would take. `suggested`: the same stands at its line as a suggestion."""
    if found.outcome == "nothing_to_repair":
        return ""
    if found.outcome == "no":
        answers = "\n".join(f"- {text(said(each))}" for each in found.no[:MOST])
        return f"### No repair was found\n\n{answers}\n\n{_details(found)}"
    held = [gate for gate in found.gates if gate.blocking and gate.verdict is Verdict.PASS]
    reached = ", ".join(f"{text(gate.gate)} {text(interval(gate))} ({text(limit(gate))})" for gate in held)
    also = " It is suggested at its line, too." if suggested else ""
    patch = "\n".join(patch_lines(found))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", patch)), default=0))  # pasted, it must be the file's own
    head = f"### A change that passes\n\n{code(found.variant)} passes with it: {reached}.{also}"
    return f"{head}\n\n{fence}diff\n{patch}\n{fence}\n\n{_details(found)}"


def _details(found: Repair) -> str:
    told = [line.strip() for line in [*_lines(found), *_tried(found)] if line.strip() not in ("", "Tried:")]
    return f"{folded('What was tried', [f'- {text(line)}' for line in told])}\n" if told else ""
