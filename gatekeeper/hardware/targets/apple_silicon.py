"""Apple Silicon."""

from __future__ import annotations

from gatekeeper.hardware.machine import Machine

DESCRIPTION = "Apple Silicon"
DEVICE = "metal"
PRIMARY = "apple_mlx"
SECOND = "llama_cpp"
SPECIAL = "Metal, unified memory"


def absent(machine: Machine) -> str | None:
    """An arm64 Mac."""
    if machine.system == "Darwin" and machine.arch == "arm64":
        return None
    return f"this machine is {machine.system} on {machine.arch}, not an Apple Silicon Mac"
