"""More of the calibration set."""

from __future__ import annotations

from gatekeeper.repair.edits import Change
from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, Unsuited, known, need_calibration

DESCRIPTION = "Calibrate on all examples of the calibration set, where the file says to take fewer."
CAUSE = "Ranges of few examples leave out what others need."
FAILURES, COST = ("accuracy",), 2


def propose(failing: Failing) -> Proposals:
    """All of them."""
    need_calibration(failing)
    now = known(failing, "examples")
    if now is None or now >= failing.calibrated:
        raise Unsuited(f"all {failing.calibrated} examples are used already. Add others to the calibration set")
    yield Change(options={"examples": failing.calibrated})
