"""Intel CPU, GPU or NPU, as OpenVINO's AUTO chooses."""

from __future__ import annotations

from gatekeeper.hardware.machine import Machine

DESCRIPTION = "Intel CPU, GPU or NPU, as OpenVINO's AUTO chooses"
DEVICE = "auto"
PRIMARY = "openvino"
SECOND = "microsoft_olive"
SPECIAL = "NNCF compression"


def absent(machine: Machine) -> str | None:
    """Any x86-64 machine has a device for AUTO to choose; the report names the one that ran."""
    return None if machine.arch == "x86_64" else f"this machine's CPU is {machine.arch}, not x86-64"
