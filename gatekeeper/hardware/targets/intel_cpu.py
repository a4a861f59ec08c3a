"""Intel or AMD x86-64 CPU."""

from __future__ import annotations

from gatekeeper.hardware.machine import Machine

DESCRIPTION = "Intel or AMD x86-64 CPU"
DEVICE = "cpu"
PRIMARY = "openvino"
SECOND = "microsoft_olive"
SPECIAL = "NNCF compression"


def absent(machine: Machine) -> str | None:
    """AMD parts run the same code paths, so any x86-64 machine will do; the report names the CPU."""
    return None if machine.arch == "x86_64" else f"this machine's CPU is {machine.arch}, not x86-64"
