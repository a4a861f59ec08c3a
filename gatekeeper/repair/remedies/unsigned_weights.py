"""Weights with a zero point of their own."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, instead

DESCRIPTION = "Unsigned 8-bit weights, whose range need not be even about zero."
CAUSE = "Weights that are mostly of one sign waste half of a range that is even about zero."
FAILURES, COST = ("accuracy",), 2


def propose(failing: Failing) -> Proposals:
    """Unsigned ones."""
    yield from instead(failing, "weights", ["uint8"])
