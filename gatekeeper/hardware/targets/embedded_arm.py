"""Embedded ARM board."""

from __future__ import annotations

from gatekeeper.hardware.machine import Machine

DESCRIPTION = "Embedded ARM board"
DEVICE = "cpu"
PRIMARY = "llama_cpp"
SECOND = "openvino"
SPECIAL = "small footprint"


def absent(machine: Machine) -> str | None:
    """Any ARM CPU stands in for the board's."""
    return None if machine.arch.startswith("arm") else f"this machine's CPU is {machine.arch}, not ARM"
