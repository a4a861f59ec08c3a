"""Rounding weighed by what weights are multiplied by."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, instead, need_calibration

DESCRIPTION = "llama.cpp with an importance matrix of the calibration text: as small and as fast, rounded with more care."
CAUSE = "All weights of a block are rounded alike, and a few of them matter most."
FAILURES, COST, FRAMEWORKS = ("accuracy",), 3, ("llama_cpp",)


def propose(failing: Failing) -> Proposals:
    """With one, where there is none."""
    need_calibration(failing)
    yield from instead(failing, "imatrix", [True])
