"""Google's Edge TPU (Coral), on PCI or USB. No framework of this version compiles for it, which is said."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.hardware.probes._base import Found, Missing, pci, text

DESCRIPTION, ORDER = "Edge TPU (Coral) on PCI or USB.", 60

VENDOR = "0x1ac1"
USB = {("1a6e", "089a"): "not initialized", ("18d1", "9302"): "initialized"}
_LIBRARIES = ("usr/lib/*/libedgetpu.so*", "usr/lib*/libedgetpu.so*")
_UNDRIVEN = Missing(
    what="no framework of this version compiles for it",
    how="A plugin of gatekeeper.frameworks can; until then a target runs on the CPU where it says `fallback: cpu`",
)


def look(root: Path) -> list[Found]:
    """Each of them."""
    missing = [_UNDRIVEN]
    if not any(next(root.glob(pattern), None) for pattern in _LIBRARIES):
        missing.append(Missing(what="its runtime libedgetpu is not installed", how="Install libedgetpu1-std"))
    found = []
    for each in pci(root, VENDOR, ("0x",)):
        gone = [] if next((root / "dev").glob("apex_*"), None) else [Missing(what="no driver", how="Install gasket-dkms")]
        found.append(Found(name=f"Edge TPU at {each.name}", kind="npu", device="npu", missing=[*gone, *missing]))
    for device in sorted((root / "sys/bus/usb/devices").glob("*")):
        if state := USB.get((text(device / "idVendor"), text(device / "idProduct"))):
            about = {"usb": state}
            found.append(Found(name=f"Edge TPU at {device.name}", kind="npu", device="npu", facts=about, missing=missing))
    return found
