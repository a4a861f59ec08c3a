"""What gates share that bound a quantity of the variant alone: it is at most so much in a round, whatever the original takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.gates._rounds import would_decide
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.gates import Decision

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence


def decide(limit: float, found: Interval, values: list[float], unit: str, evidence: Evidence) -> Decision:
    """PASS if the upper bound of the geometric mean of `values`, one a round, is at most the limit."""
    details: dict[str, object] = {"rounds": len(values)}
    if found.upper <= limit:
        verdict, reason = Verdict.PASS, f"{found.observed:.3g} {unit}, at most {found.upper:.3g} {unit}"
    elif found.lower > limit:
        own = f"{found.observed:.3g} {unit}, at least {found.lower:.3g} {unit}"
        verdict, reason = Verdict.FAIL, f"{own}, allowed {limit:g} {unit}"
    else:
        help_, needs = would_decide(values, [1.0] * len(values), limit, evidence)
        details |= needs
        between = f"between {found.lower:.3g} and {found.upper:.3g} {unit}"
        verdict, reason = Verdict.INCONCLUSIVE, f"{between}, which does not decide {limit:g} {unit}; {help_}"
    return Decision(
        verdict=verdict, reason=reason, observed=found.observed, lower=found.lower, upper=found.upper, details=details
    )
