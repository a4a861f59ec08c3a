"""An accelerator that nothing here knows."""

from __future__ import annotations

from gatekeeper.hardware.machine import Machine

DESCRIPTION = "An accelerator that nothing here knows"
DEVICE = "other"
PRIMARY = "onnx_runtime"
SECOND = "openvino"
SPECIAL = "none is known"


def absent(machine: Machine) -> str | None:
    """Nothing could tell that a machine has it. A plugin of `gatekeeper.hardware.targets` can, under a name of its own."""
    return "this machine's accelerators are asked for by name, and no plugin brings a name for this one"
