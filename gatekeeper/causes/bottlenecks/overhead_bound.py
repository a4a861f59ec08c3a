"""Most of the time goes into calling operators, not into what they compute."""

from __future__ import annotations

from gatekeeper.causes.bottlenecks._base import unknown
from gatekeeper.causes.seen import Seen, fraction
from gatekeeper.records.explained import Bottleneck

DESCRIPTION = "More than half of an inference is spent outside of operators."
ORDER = 40

LIMIT = 0.5
INFLATED = 1.65
"""A profiler makes operators slower by 30 to 65 %: by how much at most their time is too large."""
NAME = "overhead_bound"


def find(seen: Seen) -> Bottleneck:
    """By operators' time under the profiler over the latency without it: what is outside is at least the rest."""
    inside = seen.profile.inside if seen.profile else None
    if inside is None:
        return unknown(NAME, "operators were not timed beside whole inferences")
    least, most = max(0.0, 1 - inside), max(0.0, 1 - inside / INFLATED)
    evidence = [fraction("outside of operators, at least", least), fraction("and at most", most)]
    if least > LIMIT:
        return Bottleneck(
            name=NAME,
            found="yes",
            evidence=evidence,
            cause=f"at least {least:.0%} of an inference is spent around its operators: calls, threads, copies",
            remedy="ask for more at once (a batch), fuse operators, or use fewer threads for so little work",
        )
    if most > LIMIT:
        reason = f"between {least:.0%} and {most:.0%} of the time is outside of operators, on both sides of {LIMIT:.0%}"
        return Bottleneck(name=NAME, found="unknown", evidence=evidence, reason=reason)
    return Bottleneck(name=NAME, found="no", evidence=evidence)
