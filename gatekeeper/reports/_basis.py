"""What the verdicts rest on, in a line under the table, and what nobody judged."""

from __future__ import annotations

from gatekeeper.records.report import Basis, LegReport, Report

MOST_NAMED = 5


def lines(report: Report) -> list[str]:
    """One for all legs that were judged, or one for those that rest on the same, with their names; as the report says it, not
    yet fit for any format.
    """
    grouped: dict[str, list[str]] = {}
    for target in report.targets:
        for leg in target.legs:
            if leg.basis is not None:  # else nothing was judged, or an earlier version measured
                grouped.setdefault(_said(leg), []).append(leg.id)
    return [said if len(grouped) == 1 else f"{', '.join(legs)}: {said}" for said, legs in grouped.items()]


def _said(leg: LegReport) -> str:
    basis = leg.basis or Basis()
    by_reason: dict[str, list[str]] = {}
    for name, why in basis.not_judged.items():
        by_reason.setdefault(why, []).append(name)
    left = "; ".join(f"{', '.join(names)} ({why})" for why, names in by_reason.items())
    sets = "".join(f"; on {name}: {', '.join(_parts(each)) or 'nothing'}" for name, each in leg.also.items())
    return f"rests on {', '.join(_parts(basis)) or 'nothing measured'}{sets} | not judged: {left or 'nothing'}"


def _parts(basis: Basis) -> list[str]:
    parts = []
    if basis.metric:
        each = " and each number of it" if basis.output in basis.outputs else ""
        parts.append(f"{basis.metric} of {basis.output}{each}" if basis.output else basis.metric)
    if others := [name for name in basis.outputs if name != basis.output]:
        more = ", ..." if len(others) > MOST_NAMED else ""
        parts.append(f"{_count(len(others), 'more output')} ({', '.join(others[:MOST_NAMED])}{more})")
    if basis.examples:
        same = f" ({_count(basis.copies, 'copy', 'copies')} of them left out)" if basis.copies else ""
        parts.append(_count(basis.examples, "distinct example" if basis.copies else "example") + same)
    if basis.classes:
        parts.append(_count(basis.classes, "class", "classes"))
    if basis.groups:
        parts.append(_count(basis.groups, "group"))
    if basis.parts:
        parts.append(f"{_count(basis.parts, 'part')} of the answers")
    if basis.timed:
        parts.append(f"{_count(basis.timed, 'input')} timed")
    return parts


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
