"""What a run measured already, in one line under a failed gate; who wants to know more asks `gatekeeper explain`."""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.causes.bottlenecks._base import bottlenecks
from gatekeeper.causes.diagnoses._base import diagnoses, problem_of
from gatekeeper.causes.seen import Seen
from gatekeeper.ids import technique_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, TargetReport, VariantReport

ABOUT_TIME = ("slow_inference", "unsteady")
MOST = 3
MORE = "gatekeeper explain says more"


def short(report: Report, target: TargetReport, variant: VariantReport, gate: GateResult) -> str:
    """The likeliest cause, by what was measured; empty where the gate did not fail, or nothing is known of such a failure."""
    name = problem_of(gate.gate) if gate.verdict is Verdict.FAIL else None
    if name is None:
        return ""
    seen = seen_of(report, target, variant)
    found = [f"{each.name}: {each.cause}" for each in bottlenecks(seen) if each.found == "yes"] if name in ABOUT_TIME else []
    own = [f"likely {each.cause}; {each.remedies[0].what}" for each in diagnoses(seen) if each.problem == name]
    said = (found or own)[:1]
    return said[0] if said else ""


def shorts(report: Report, target: TargetReport, variants: Sequence[VariantReport], gate: GateResult) -> str:
    """The same of variants that fail for one reason, each cause once, and where more is said; empty where none is known."""
    found: dict[str, list[str]] = {}
    for variant in variants:
        if said := short(report, target, variant, gate):
            found.setdefault(said, []).append(technique_of(variant.id))
    if len(found) > 1:
        told = [f"{', '.join(names[:MOST])}: {said}" for said, names in list(found.items())[:MOST]]
    else:
        told = list(found)
    return f"{'; '.join(told)} ({MORE})" if told else ""


def seen_of(report: Report, target: TargetReport, variant: VariantReport) -> Seen:
    """What a report knows of a variant."""
    calibration = report.data.calibration if report.data else None
    return Seen(variant, target.leg_of(variant), calibration.examples if calibration else None)
