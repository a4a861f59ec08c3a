"""Any other technique of the framework."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, other

DESCRIPTION = "Every other technique of the framework that suits the model and is not in the file."
CAUSE = "The technique is the wrong one for this model on this machine."
FAILURES, COST = ("accuracy", "speed", "memory", "size", "unmade"), 5


def propose(failing: Failing) -> Proposals:
    """In the framework's own order."""
    yield from other(failing, *failing.techniques)
