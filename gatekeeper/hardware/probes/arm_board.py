"""ARM boards, by the device tree that their firmware hands to Linux: Raspberry Pi, Jetson and others."""

from __future__ import annotations

import platform
from pathlib import Path

from gatekeeper.hardware.probes._base import Found, Missing, text

DESCRIPTION, ORDER = "ARM boards: model and chip from the device tree.", 50

TREE = "proc/device-tree"


def look(root: Path) -> list[Found]:
    """The board this is, if its firmware names one."""
    name = text(root / TREE / "model")
    return described(name, text(root / TREE / "compatible"), platform.machine().lower()) if name else []


def described(name: str, compatible: str, machine: str) -> list[Found]:
    """The same from what firmware and kernel say; `compatible` has a name each from the board to the chip, NUL between them."""
    if not machine.startswith(("arm", "aarch64")):
        return []
    narrow = machine.startswith("armv")
    how = "Install a 64-bit system (aarch64): none of the frameworks has wheels for 32 bits"
    missing = [Missing(what=f"the system is 32-bit ({machine})", how=how)] if narrow else []
    facts = {"chip": compatible.split("\0")[-1], "system": machine}
    return [Found(name=name, kind="board", device="cpu", facts={k: v for k, v in facts.items() if v}, missing=missing)]
