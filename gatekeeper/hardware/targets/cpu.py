"""Any CPU."""

from __future__ import annotations

from gatekeeper.hardware.machine import Machine

DESCRIPTION = "Any CPU"
DEVICE = "cpu"
PRIMARY = "onnx_runtime"
SECOND = "openvino"
SPECIAL = "runs anywhere"


def absent(machine: Machine) -> str | None:
    """Every machine has a CPU."""
    return None
