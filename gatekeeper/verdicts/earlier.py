"""Reports of versions that did not write down all that their verdicts rest on. Pure.

What such a report lacks cannot be asked of it. So that nobody makes a report one of these by leaving something out, it is held
whole all the same wherever a pipeline file or a policy says what is asked, and beside any report that is of a later version: all
legs of a merge are measured by one. Only where nothing is at hand, and where every limit is as a leg states it, is it believed.
"""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.gates._checks import CHECKS
from gatekeeper.records.report import Report

LATER = ("answers", CHECKS)
"""What details of gates hold since reports tell whole."""


def earlier(report: Report) -> bool:
    """Whether nothing in a report is what later versions alone write."""
    for target in report.targets:
        if any(leg.basis is not None or leg.control_rounds for leg in target.legs):
            return False
        if any(key in gate.details for variant in target.variants for gate in variant.gates for key in LATER):
            return False
    return True


def whole(reports: Sequence[Report], ruled: bool) -> bool:
    """Whether reports must hold all that their verdicts rest on; `ruled`: something else than they says what is asked."""
    return ruled or not all(map(earlier, reports))
