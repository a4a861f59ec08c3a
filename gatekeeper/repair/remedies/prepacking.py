"""No second copy of weights."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, opened

DESCRIPTION = "ONNX Runtime without a second copy of weights in the layout of its kernels. Slower: the speed gate says how much."
CAUSE = "Weights are there twice, as they are in the file and as kernels want them."
FAILURES, COST, FRAMEWORKS = ("memory",), 1, ("onnx_runtime",)


def propose(failing: Failing) -> Proposals:
    """Off, where it is on."""
    yield opened(failing, "prepacking", False)
