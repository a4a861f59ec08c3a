"""Channels rescaled between layers, so that one range fits all of them."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, instead

DESCRIPTION = "Cross-layer equalization before quantizing: answers in floating point stay as they are, and so does the speed."
CAUSE = "Channels of an activation are of very different size, and one range for all leaves the small ones no steps."
FAILURES, COST = ("accuracy",), 2


def propose(failing: Failing) -> Proposals:
    """On, where it is off."""
    yield from instead(failing, "equalize", [True])
