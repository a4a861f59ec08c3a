"""Notes that speak of what changes without measuring: made anew, they take the place of the old ones of their kind. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec

from gatekeeper.records.report import Note, Report

Kind = Literal["waiver", "base", "plan"]


def renoted(report: Report, kind: Kind, texts: Iterable[str]) -> Report:
    """The report with these notes of a kind, after all it has to say otherwise, and no others of that kind."""
    fresh = [Note(kind=kind, text=text) for text in dict.fromkeys(texts)]
    notes, remarks = kept([report], [kind])
    return with_notes(report, notes, [*remarks, *fresh])


def kept(reports: Sequence[Report], gone: Collection[Kind]) -> tuple[list[str], list[Note]]:
    """What reports say, but for notes of these kinds; and which of that is of another kind."""
    notes: list[str] = []
    remarks: list[Note] = []
    for report in reports:
        stale = {remark.text for remark in report.remarks or () if remark.kind in gone}
        notes += [note for note in report.notes if note not in stale]
        remarks += [remark for remark in report.remarks or () if remark.kind not in gone]
    return notes, remarks


def with_notes(report: Report, notes: Sequence[str], remarks: Sequence[Note]) -> Report:
    """The report with these notes, each once, in this order; those of a kind that are not among them come last."""
    texts = dict.fromkeys([*notes, *(remark.text for remark in remarks)])
    return msgspec.structs.replace(report, notes=list(texts), remarks=_once(remarks))


def _once(remarks: Iterable[Note]) -> list[Note]:
    return list({(remark.kind, remark.text): remark for remark in remarks}.values())
