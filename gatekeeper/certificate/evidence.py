"""What the numbers of a report are worth: whether anybody's own code ran that nothing kept from writing them itself. Pure.

A report is whoever's word wrote it. Code that nothing held could have written this one, and have said that it was held: what is
asked here is that it says so, and a run on a machine of one's own is what makes it true (docs/release.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from gatekeeper.records.report import LegReport, Report

Evidence = Literal["trusted_runner", "untrusted_leg"]
PLUGIN = "plugin "
"""How a leg names a plugin: it is imported by whoever measures and judges, and nothing can hold it."""
DECODE = "decode "
"""And a decode: held or not, boxes are what it says they are, and nothing else is seen of what a detector finds."""
HOLDS = ("namespaces",)
"""What may have held code, as legs name it: what gatekeeper/process/hold.py starts programs in."""


def evidence_of(report: Report, earlier: bool = False) -> tuple[Evidence, str]:
    """What it is, and why it is no better, in words. `earlier`: of a version whose legs did not say what held their code, which
    only a certificate can show that was signed then.
    """
    why = next(_wrong(report, earlier), "")
    return ("untrusted_leg", why) if why else ("trusted_runner", "")


def _wrong(report: Report, earlier: bool) -> Iterator[str]:
    legs = [leg for target in report.targets for leg in target.legs]
    for leg in legs:
        yield from _unheld(leg, earlier)
    if report.data is None:
        yield "it does not say which data and code it rests on: an earlier version measured"
        return
    code = report.data.code
    if code and not any(leg.user_code for leg in legs):
        yield f"it rests on {', '.join(code)}, and no leg says that it ran"
    for leg in legs:
        if silent := [name for name in code if name not in leg.user_code and leg.ran]:
            yield f"it rests on {', '.join(silent)}, and {leg.id} does not say that it ran"


def _unheld(leg: LegReport, earlier: bool) -> Iterator[str]:
    ran = ", ".join(leg.user_code)
    if leg.user_code and leg.unheld:
        yield f"{leg.id} ran {ran}, and nothing held it: {leg.unheld}"
    if plugins := [each for each in leg.user_code if each.startswith(PLUGIN)]:
        yield f"{leg.id} ran with {', '.join(plugins)}, which nothing can hold"
    if decodes := [each for each in leg.user_code if each.startswith(DECODE)]:
        yield f"{leg.id} ran {', '.join(decodes)}, whose word is all that is known of the boxes"
    if leg.user_code and leg.held not in HOLDS and not (earlier and not leg.held):
        yield f"{leg.id} ran {ran}, and does not say what held it: {leg.held or 'nothing'} is none of {', '.join(HOLDS)}"
