"""What the numbers of a report are worth: whether anybody's own code ran that nothing kept from writing them itself. Pure."""

from __future__ import annotations

from typing import Literal

from gatekeeper.records.report import Report

Evidence = Literal["trusted_runner", "untrusted_leg"]
PLUGIN = "plugin "
"""How a leg names a plugin: it is imported by whoever measures and judges, and nothing can hold it."""
DECODE = "decode "
"""And a decode: held or not, boxes are what it says they are, and nothing else is seen of what a detector finds."""


def evidence_of(report: Report) -> tuple[Evidence, str]:
    """What it is, and why it is no better, in words."""
    legs = [leg for target in report.targets for leg in target.legs]
    for leg in legs:
        if leg.user_code and leg.unheld:
            return "untrusted_leg", f"{leg.id} ran {', '.join(leg.user_code)}, and nothing held it: {leg.unheld}"
        if plugins := [each for each in leg.user_code if each.startswith(PLUGIN)]:
            return "untrusted_leg", f"{leg.id} ran with {', '.join(plugins)}, which nothing can hold"
        if decodes := [each for each in leg.user_code if each.startswith(DECODE)]:
            return "untrusted_leg", f"{leg.id} ran {', '.join(decodes)}, whose word is all that is known of the boxes"
    if report.data is None:
        return "untrusted_leg", "it does not say which data and code it rests on: an earlier version measured"
    if report.data.code and not any(leg.user_code for leg in legs):
        return "untrusted_leg", f"it rests on {', '.join(report.data.code)}, and no leg says that it ran"
    return "trusted_runner", ""
