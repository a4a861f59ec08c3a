"""NVIDIA GPU."""

from __future__ import annotations

from gatekeeper.hardware.machine import Machine

DESCRIPTION = "NVIDIA GPU"
DEVICE = "cuda"
PRIMARY = "microsoft_olive"
SECOND = "openvino"
SPECIAL = "CUDA, enterprise features"


def absent(machine: Machine) -> str | None:
    """The driver's own device node or library must be there."""
    return None if machine.nvidia else "this machine has no NVIDIA driver"
