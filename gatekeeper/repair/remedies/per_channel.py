"""A scale for each channel of a weight, or one for all."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, instead, known

DESCRIPTION = "A scale for each output channel of a weight where there is one for all, and the other way round."
CAUSE = "Channels of different size do not fit one scale; a scale each may be what kernels have no fast way for."
FAILURES, COST = ("accuracy", "speed"), 2


def propose(failing: Failing) -> Proposals:
    """The other of both."""
    yield from instead(failing, "per_channel", [not known(failing, "per_channel")])
