"""Weights and activations come as fast as this machine moves them."""

from __future__ import annotations

from gatekeeper.causes.bottlenecks._base import unknown
from gatekeeper.causes.seen import Seen, fraction, rate, size
from gatekeeper.records.explained import Bottleneck

DESCRIPTION = "It moves more than 90 % of the bytes a second that this machine was seen to move."
ORDER = 10

LIMIT = 0.9
STEADY = 0.2
"""A ceiling that is another one in every round is none: how much its rounds may differ."""
NAME = "memory_bound"


def find(seen: Seen) -> Bottleneck:
    """By bytes that operators read and write, over the latency, against the best of copy, triad, read and its own operators."""
    traffic = seen.traffic
    if traffic is None or not traffic.ceiling:
        return unknown(NAME, "what it moves, and what this machine can, was not measured")
    used = traffic.rate / traffic.ceiling
    evidence = [
        fraction("of what this machine was seen to move", used),
        size("at least" if traffic.least else "moved an inference", traffic.bytes_per_inference),
        rate("that is", traffic.rate),
        rate(f"ceiling ({traffic.ceiling_of})", traffic.ceiling),
        fraction("the ceiling's spread over rounds", traffic.spread),
    ]
    if traffic.spread > STEADY:
        reason = f"what this machine can move differs by {traffic.spread:.0%} from round to round, more than {STEADY:.0%}"
        return Bottleneck(name=NAME, found="unknown", evidence=evidence, reason=f"{reason}: use a quieter one")
    if used > LIMIT:
        return Bottleneck(
            name=NAME,
            found="yes",
            evidence=evidence,
            cause=f"it moves {used:.0%} of what this machine was seen to move: arithmetic waits for memory",
            remedy="move less: fewer bits a weight, a smaller batch or context, operators fused; more threads do not help",
        )
    if traffic.least:
        reason = "only its weights were counted, and what else it moves is not known"
        return Bottleneck(name=NAME, found="unknown", evidence=evidence, reason=reason)
    return Bottleneck(name=NAME, found="no", evidence=evidence)
