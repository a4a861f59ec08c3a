"""A look, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gatekeeper.units import format_number, format_value

if TYPE_CHECKING:
    from gatekeeper.monitor.decide import Finding, Look

SAID = {
    "fires": "an alert fires",
    "fine": "nothing to tell",
    "undecided": "too little was seen to say that all is well",
    "unread": "not everything could be read, and what is not known is not well",
}


def text(look: Look) -> str:
    """The verdict first, then what fires, what is not known, and the signals."""
    return "\n".join(_lines(look)) + "\n"


def _lines(look: Look) -> Iterator[str]:
    yield f"{look.time} look {look.look}: {SAID[look.verdict]}"
    for said in look.unread:
        yield f"  unread: {said}"
    for status, word in (("fires", "ALERT"), ("undecided", "undecided")):
        for each in (each for each in look.findings if each.status == status):
            yield f"  {word}: {_said(each)}"
    for seen in look.signals:
        value = _value(seen.value, seen.unit) if seen.value is not None else seen.why or "unknown"
        yield f"  {seen.name:<12} {value}{f' of {seen.n:,}' if seen.n and seen.value is not None else ''}"
    well = [each.name for each in look.findings if each.status == "fine"]
    if well:
        yield f"  fine: {', '.join(well[:12])}{f' and {len(well) - 12} more' if len(well) > 12 else ''}"
    for note in look.notes:
        yield f"  note: {note}"


def _said(each: Finding) -> str:
    """One finding in words."""
    parts = [each.name]
    if each.observed is not None:
        parts.append(
            f"{_value(each.observed, each.unit)}{f', limit {_value(each.limit, each.unit)}' if each.limit is not None else ''}"
        )
    if each.status == "undecided":
        parts.append(f"{each.n:,} seen, {each.needs:,} needed")
    elif each.p_value is not None:
        parts.append(f"p = {each.p_value:.2g} of {each.n:,}")
    return ": ".join([parts[0], ", ".join(parts[1:])]) if parts[1:] else parts[0]


def _value(number: float, unit: str) -> str:
    if unit == "D":
        return f"D = {number:.3f}"
    return format_value(number, unit) if unit == "fraction" else f"{format_number(number)} {unit}".strip()
