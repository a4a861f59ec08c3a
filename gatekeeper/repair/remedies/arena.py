"""Memory that is freed goes back to the system."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, opened

DESCRIPTION = "ONNX Runtime without its arena, which keeps what was once taken."
CAUSE = "The peak of the first inference, or of the largest input, stays taken."
FAILURES, COST, FRAMEWORKS = ("memory",), 1, ("onnx_runtime",)


def propose(failing: Failing) -> Proposals:
    """Off, where it is on."""
    yield opened(failing, "arena", False)
