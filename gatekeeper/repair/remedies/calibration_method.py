"""Another way to take an activation's range of the calibration set."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, instead, need_calibration

DESCRIPTION = "Take ranges of activations by `entropy`, `percentile` or `distribution` instead of by the extremes."
CAUSE = "One outlier of the calibration set stretches a range, and everything else shares what steps are left."
FAILURES, COST = ("accuracy",), 2
METHODS = ("percentile", "entropy", "minmax")


def propose(failing: Failing) -> Proposals:
    """One method after the other."""
    need_calibration(failing)
    yield from instead(failing, "calibration", METHODS)
