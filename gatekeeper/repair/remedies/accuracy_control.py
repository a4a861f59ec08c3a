"""NNCF puts layers back to floating point until answers hold."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, need_calibration, other

DESCRIPTION = "NNCF's accuracy control: it quantizes, and puts layers back until answers to the calibration set hold."
CAUSE = "A few layers lose most of the accuracy. It takes long, and each layer that goes back costs speed."
FAILURES, COST, FRAMEWORKS = ("accuracy",), 5, ("openvino",)


def propose(failing: Failing) -> Proposals:
    """As it is by default."""
    need_calibration(failing)
    yield from other(failing, "int8_accuracy_control")
