"""Activations quantized by ranges that were calibrated, instead of while running."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, Unsuited, need_calibration, other

DESCRIPTION = "int8_static in place of int8_dynamic."
CAUSE = "Dynamic quantization has slow kernels for convolutions (ConvInteger), and looks for ranges in every inference."
FAILURES, COST = ("speed", "accuracy", "unmade"), 2


def propose(failing: Failing) -> Proposals:
    """The other of both."""
    if failing.place.technique != "int8_dynamic":
        raise Unsuited("the technique is not int8_dynamic")
    need_calibration(failing)
    yield from other(failing, "int8_static")
