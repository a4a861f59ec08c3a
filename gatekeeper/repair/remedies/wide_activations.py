"""Activations of 16 bits beside weights of 8."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, instead

DESCRIPTION = "Activations of 16 bits. Most CPUs have no fast kernels for them: the speed gate says whether this one has."
CAUSE = "256 steps are too few for an activation."
FAILURES, COST = ("accuracy",), 3


def propose(failing: Failing) -> Proposals:
    """16 where there are 8."""
    yield from instead(failing, "activations", [16])
