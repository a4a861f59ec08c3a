"""Intel GPU."""

from __future__ import annotations

from gatekeeper.hardware.machine import Machine

DESCRIPTION = "Intel GPU"
DEVICE = "gpu"
PRIMARY = "openvino"
SECOND = "microsoft_olive"
SPECIAL = "NNCF compression"


def absent(machine: Machine) -> str | None:
    """An Intel GPU shows as a render node with vendor 0x8086 on Linux."""
    return None if "0x8086" in machine.gpu_vendors else "this machine has no Intel GPU"
