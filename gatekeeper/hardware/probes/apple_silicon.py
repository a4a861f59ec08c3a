"""Apple Silicon: its GPU shares the memory of the CPU, and Metal drives it. There is none to look for on other systems."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

from gatekeeper.hardware.probes._base import Found, Missing

DESCRIPTION, ORDER = "Apple Silicon: chip, macOS and Metal.", 40

OLDEST = 14
"""macOS that MLX's wheels are built for."""


def look(root: Path) -> list[Found]:
    """The chip of an arm64 Mac."""
    if platform.system() != "Darwin" or platform.machine() != "arm64":
        return []
    return described(_sysctl("machdep.cpu.brand_string"), platform.mac_ver()[0], _sysctl("hw.memsize"))


def described(chip: str, system: str, memory: str) -> list[Found]:
    """The same from what macOS says of itself."""
    major = system.partition(".")[0]
    old = major.isdigit() and int(major) < OLDEST
    missing = [Missing(what=f"macOS {system} is older than MLX takes", how=f"Update to macOS {OLDEST}")] if old else []
    facts = {"macOS": system, "unified memory": f"{int(memory) >> 30} GiB" if memory.isdigit() else ""}
    shown = {key: value for key, value in facts.items() if value}
    return [Found(name=chip or "Apple Silicon", kind="gpu", device="metal", facts=shown, missing=missing)]


def _sysctl(name: str) -> str:
    done = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False)
    return done.stdout.strip()
