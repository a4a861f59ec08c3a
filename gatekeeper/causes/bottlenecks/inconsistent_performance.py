"""Some inferences take much longer than others."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gatekeeper.causes.bottlenecks._base import unknown
from gatekeeper.causes.seen import Seen, count, fraction
from gatekeeper.records.explained import Bottleneck
from gatekeeper.records.measured import RoundData

DESCRIPTION = "p95 latency is more than 20 % above the median."
ORDER = 20

LIMIT = 0.2
NAME = "inconsistent_performance"


def find(seen: Seen) -> Bottleneck:
    """By the mean over rounds of ln(p95 / median), inputs of differing size brought to one, as the gate `stability` has it."""
    if seen.performance is None:
        return unknown(NAME, "it was not timed")
    tail = variation(seen.performance.rounds)
    if tail is None:
        return unknown(NAME, "its latencies are not numbers")
    evidence = [fraction("p95 above the median", tail)]
    own = variation(seen.leg.baseline.rounds) if seen.leg and seen.leg.baseline else None
    if own is not None:
        evidence.append(fraction("of the original on the same machine", own))
    if seen.performance.preempted_per_s is not None:
        evidence.append(count("times a second that it was interrupted", round(seen.performance.preempted_per_s, 1)))
    other = seen.leg.conditions.other_cpu if seen.leg and seen.leg.conditions else None
    if other is not None:
        evidence.append(fraction("of the machine's CPU time went to others", other))
    if tail <= LIMIT:
        return Bottleneck(name=NAME, found="no", evidence=evidence)
    if own is not None and own > LIMIT:
        cause = f"p95 is {tail:.0%} above the median, and {own:.0%} of the original: this machine does it, not the variant"
        remedy = "use a quieter machine, or fewer threads than it has cores"
    else:
        cause = (
            f"p95 is {tail:.0%} above the median, which the original's is not: the variant's own work differs from call to call"
        )
        remedy = "look for inputs that take longer, for memory that is allocated anew, and for operators that run elsewhere"
    return Bottleneck(name=NAME, found="yes", evidence=evidence, cause=cause, remedy=remedy)


def variation(rounds: Sequence[RoundData]) -> float | None:
    """How far p95 is above the median, as a fraction; None where that is no number."""
    pairs = [
        (each.alike_p95_ns, each.alike_median_ns)
        if each.alike_p95_ns is not None and each.alike_median_ns is not None
        else (each.p95_ns, each.median_ns)
        for each in rounds
    ]
    if not pairs or min(min(pair) for pair in pairs) <= 0:
        return None
    found = math.exp(sum(math.log(slow / middle) for slow, middle in pairs) / len(pairs)) - 1
    return found if math.isfinite(found) else None
