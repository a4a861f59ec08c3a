"""Edge TPU or another NPU."""

from __future__ import annotations

from gatekeeper.hardware.machine import Machine

DESCRIPTION = "Edge TPU or another NPU"
DEVICE = "npu"
PRIMARY = "openvino"
SECOND = "microsoft_olive"
SPECIAL = "accelerator support"


def absent(machine: Machine) -> str | None:
    """Kernel drivers of accelerators appear under /dev/accel or /dev/apex_*."""
    return None if machine.npu else "this machine shows no accelerator under /dev/accel or /dev/apex_*"
