"""The testing stage in the Markdown report: a folded part for each target that was tested."""

from __future__ import annotations

from gatekeeper.records import Check, TargetReport, Tested, VariantReport, Verdict
from gatekeeper.reports._base import MARKS
from gatekeeper.reports._markdown_text import code, folded, row, table, text
from gatekeeper.reports._testing import HEAD, cells, counted, leg_of, peak

MOST_CHECKS = 40
"""Checks that are listed by name; those that failed come first."""


def testing(target: TargetReport) -> str:
    """Load by scenario and model, then the checks."""
    arms: list[tuple[str, Tested]] = [
        (f"baseline in {leg.framework}" if len(target.legs) > 1 else "baseline", leg.tested) for leg in target.legs if leg.tested
    ]
    own = [v for v in target.variants if v.tested]
    arms += [(f"{v.framework}/{v.technique}", v.tested) for v in own if v.tested]
    if not arms:
        return ""
    rows = [row([code(name), *map(text, cells(run))]) for name, tested in arms for run in tested.load]
    lines = table(["", *HEAD], rows) if rows else []
    said = [line for v in own for line in _variant(v, target)]
    return folded(f"Tests on {text(target.name)}", [*lines, "", *said])


def _variant(variant: VariantReport, target: TargetReport) -> list[str]:
    tested = variant.tested
    assert tested
    leg = leg_of(variant, target.legs)
    facts = [*counted(tested), *filter(None, [peak(tested, leg.tested if leg else None)]), *tested.notes]
    lines = [f"- {code(f'{variant.framework}/{variant.technique}')}: {text('; '.join(facts), 2000)}"]
    checks = sorted(tested.checks, key=_urgency)
    lines += [
        f"  - {MARKS[c.verdict]} {code(c.name)}" + (f": {text(c.reason)}" if c.reason else "") for c in checks[:MOST_CHECKS]
    ]
    more = len(checks) - MOST_CHECKS
    return lines + ([f"  - {more} more are in report.json"] if more > 0 else [])


def _urgency(check: Check) -> int:
    order = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.SKIP)
    return order.index(check.verdict)
