"""The processor works all the time."""

from __future__ import annotations

from gatekeeper.causes.bottlenecks._base import unknown
from gatekeeper.causes.seen import Seen, count, fraction
from gatekeeper.records.explained import Bottleneck

DESCRIPTION = "CPU time is more than 80 % of the wall time of its threads."
ORDER = 30  # what waits for memory shows as busy, too

LIMIT = 0.8
NAME = "cpu_bound"


def find(seen: Seen) -> Bottleneck:
    """By the CPU time of the process while it was timed, over wall time and threads."""
    if seen.performance is None:
        return unknown(NAME, "it was not timed")
    used = seen.performance.cpu_utilisation
    evidence = [fraction("CPU utilisation", used)]
    threads = seen.environment.threads if seen.environment else None
    if threads:
        evidence.append(count("threads", threads))
    if used <= LIMIT:
        return Bottleneck(name=NAME, found="no", evidence=evidence)
    whose = f"{threads} thread{'s' if threads != 1 else ''}" if threads else "its threads"
    return Bottleneck(
        name=NAME,
        found="yes",
        evidence=evidence,
        cause=f"{whose} work {used:.0%} of the time: it is as fast as this processor computes it",
        remedy="compute less, or with faster kernels: fewer bits where the CPU has instructions for them, more threads where "
        "there are cores",
    )
