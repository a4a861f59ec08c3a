"""What a reviewer must know of the data before believing a verdict: that it changed, and how much of it says something new."""

from __future__ import annotations

from gatekeeper.records.data import CALIBRATION, DataSet
from gatekeeper.records.report import Report

NAMED = 0.05
"""Share of a set that must be copies to be named."""
HALF = 0.5
"""Share that must be answered as others are: a model may answer alike, and below that it matters little."""


def lines(report: Report) -> list[str]:
    """One for each thing, as the report says it, not yet fit for any format."""
    sets = report.data.sets if report.data else {}
    changed = [_changed(what, each) for what, each in sets.items() if each.changed]
    return changed + [said for what, each in sets.items() if what != CALIBRATION for said in _same(what, each)]


def _changed(what: str, each: DataSet) -> str:
    counted = f": {each.examples:,} examples, {each.distinct:,} of them distinct" if each.distinct else ""
    digests = f"{each.source} has the SHA-256 {each.sha256[:12]}, and there it is {each.before[:12]}"
    return f"{what} is not that of {each.at}{counted} ({digests})"


def _same(what: str, each: DataSet) -> list[str]:
    """Copies, and near-copies, where they are many."""
    said, copies = [], each.examples - each.distinct
    if each.distinct and copies >= NAMED * each.examples:
        share = copies / each.examples
        said.append(
            f"{share:.1%} of {what} are copies of other examples ({copies:,} of {each.examples:,}): each counts once, "
            f"which leaves {each.distinct:,}"
        )
    if each.distinct and each.near >= HALF * each.distinct:
        said.append(
            f"{each.near:,} of the {each.distinct:,} distinct examples of {what} get the answer of another one, to a millionth: "
            "where they are nearly copies, the set tells less than its size"
        )
    return said
