"""Another number of threads."""

from __future__ import annotations

from gatekeeper.repair.edits import Change
from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, Unsuited

DESCRIPTION = "Other numbers of threads, for the original and the variant alike."
CAUSE = "Small kernels gain nothing of more threads and wait for one another; more threads than cores make times uneven."
FAILURES, COST = ("speed", "stability"), 1


def propose(failing: Failing) -> Proposals:
    """One, half of the cores, all of them."""
    others = [each for each in dict.fromkeys((1, failing.cores // 2, failing.cores)) if each > 0 and each != failing.threads]
    if not others:
        raise Unsuited(f"this machine has {failing.cores} core{'s' * (failing.cores != 1)}")
    path = ("measure", "threads") if failing.target is None else ("targets", failing.target, "threads")
    for count in others:
        yield Change(values={path: count})
