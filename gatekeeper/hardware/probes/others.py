"""Accelerators on the PCI bus that no other probe knows: they are named, so that nobody takes the CPU for them."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.hardware.probes import edge_tpu, intel, nvidia
from gatekeeper.hardware.probes._base import Found, Missing, driver, text

DESCRIPTION, ORDER = "GPUs and accelerators on the PCI bus that no other probe knows.", 90

KNOWN = (nvidia.VENDOR, intel.VENDOR, edge_tpu.VENDOR)
MAKERS = {
    "0x1002": "AMD",
    "0x1da3": "Habana",
    "0x1e52": "Tenstorrent",
    "0x1e60": "Hailo",
    "0x1fc8": "Axelera",
    "0x17cb": "Qualcomm",
}
_GRAPHICS = ("0x0302", "0x0380", "0x12")  # 3D controllers, other displays, processing accelerators
_UNKNOWN = Missing(
    what="no framework of this version drives it",
    how="Install a plugin for it (docs/hardware.md); until then a target runs on the CPU where it says `fallback: cpu`",
)


def look(root: Path) -> list[Found]:
    """Every one of them, by maker and place."""
    found = []
    for device in sorted((root / "sys/bus/pci/devices").glob("*")):
        vendor, kind = text(device / "vendor"), text(device / "class")
        wanted = kind.startswith(_GRAPHICS) or (vendor in MAKERS and kind.startswith("0x03"))
        if vendor in KNOWN or not wanted:
            continue
        facts = {"driver": driver(device), "pci id": f"{vendor}:{text(device / 'device')}"}
        name = f"{MAKERS.get(vendor, 'unknown')} accelerator at {device.name}"
        shown = {key: value for key, value in facts.items() if value}
        found.append(Found(name=name, kind="accelerator", device="other", facts=shown, missing=[_UNKNOWN]))
    return found
