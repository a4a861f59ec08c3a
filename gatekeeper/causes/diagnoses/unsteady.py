"""It is not always as it mostly is."""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.causes.bottlenecks import inconsistent_performance
from gatekeeper.causes.diagnoses._base import ANY, Row
from gatekeeper.causes.seen import Seen
from gatekeeper.records.explained import Fact

DESCRIPTION = "Its latency differs from call to call, or it does not last."
GATES = ("stability", "endurance", "error_rate")


def unsteady(seen: Seen) -> Sequence[Fact]:
    """How far the slow tail is from the median."""
    return inconsistent_performance.find(seen).evidence


ROWS = (
    Row(
        ANY,
        "something else takes the processor, or the work differs from call to call",
        "a quieter machine, fewer threads than it has cores, inputs of one size",
        unsteady,
    ),
)
