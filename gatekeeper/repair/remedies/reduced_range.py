"""Weights of 7 bits, or of all 8."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, instead, known

DESCRIPTION = "Weights of 7 bits where they have 8, and of 8 where they have 7."
CAUSE = "On CPUs without VNNI two products of 8 bits may overflow 16; on others 7 bits give away half of the precision."
FAILURES, COST = ("accuracy",), 2


def propose(failing: Failing) -> Proposals:
    """The other of both."""
    now = known(failing, "reduce_range")
    reduced = not failing.vnni if now == "auto" else bool(now)
    yield from instead(failing, "reduce_range", [not reduced])
