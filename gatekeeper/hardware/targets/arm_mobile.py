"""ARM phone or tablet class CPU."""

from __future__ import annotations

from gatekeeper.hardware.machine import Machine

DESCRIPTION = "ARM phone or tablet class CPU"
DEVICE = "cpu"
PRIMARY = "llama_cpp"
SECOND = "openvino"
SPECIAL = "few dependencies"


def absent(machine: Machine) -> str | None:
    """Any 64-bit ARM CPU stands in for the phone's."""
    return None if machine.arch == "arm64" else f"this machine's CPU is {machine.arch}, not ARM"
