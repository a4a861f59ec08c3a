"""Intel GPUs and NPUs, by their kernel drivers, and what OpenVINO needs beside these."""

from __future__ import annotations

import os
from pathlib import Path

from gatekeeper.hardware.probes._base import Found, Missing, driver, pci, text

DESCRIPTION, ORDER = "Intel GPUs and NPUs, with the runtimes that OpenVINO drives them by.", 30

VENDOR = "0x8086"
_GPU_DRIVERS, _NPU_DRIVER = ("i915", "xe"), "intel_vpu"
_GPU_RUNTIMES = ("usr/lib/*/libze_intel_gpu.so*", "usr/lib*/libze_intel_gpu.so*", "etc/OpenCL/vendors/intel*.icd")
_NPU_RUNTIMES = ("usr/lib/*/libze_intel_npu.so*", "usr/lib*/libze_intel_npu.so*", "usr/lib/*/libze_intel_vpu.so*")


def look(root: Path) -> list[Found]:
    """Each GPU and NPU on the PCI bus."""
    return [*_gpus(root), *_npus(root)]


def _gpus(root: Path) -> list[Found]:
    found = []
    for each in pci(root, VENDOR, ("0x03",)):
        missing = []
        if driver(each) not in _GPU_DRIVERS:
            missing.append(Missing(what="no kernel driver (i915 or xe) has taken it", how="Install a kernel that knows this GPU"))
        missing += _runtime(root, _GPU_RUNTIMES, "Intel's compute runtime", "intel-opencl-icd and libze-intel-gpu1")
        missing += _permitted(sorted((each / "drm").glob("renderD*")), root / "dev/dri")
        found.append(Found(name=f"Intel GPU at {each.name}", kind="gpu", device="gpu", facts=_facts(each), missing=missing))
    return found


def _npus(root: Path) -> list[Found]:
    found = []
    for each in pci(root, VENDOR, ("0x12",)):
        missing = []
        if driver(each) != _NPU_DRIVER:
            missing.append(Missing(what="the kernel driver intel_vpu has not taken it", how="Install Linux 6.3 or newer"))
        missing += _runtime(root, _NPU_RUNTIMES, "the NPU's user-space driver", "intel-level-zero-npu (linux-npu-driver)")
        missing += _permitted(sorted((each / "accel").glob("accel*")), root / "dev/accel")
        found.append(Found(name=f"Intel NPU at {each.name}", kind="npu", device="npu", facts=_facts(each), missing=missing))
    return found


def _facts(device: Path) -> dict[str, str]:
    return {key: value for key, value in {"driver": driver(device), "pci id": text(device / "device")}.items() if value}


def _runtime(root: Path, patterns: tuple[str, ...], what: str, packages: str) -> list[Missing]:
    if any(next(root.glob(pattern), None) for pattern in patterns):
        return []
    return [Missing(what=f"{what} is not installed", how=f"Install {packages}")]


def _permitted(nodes: list[Path], devices: Path) -> list[Missing]:
    """Whether this user may open the device's node."""
    closed = [f"{devices / node.name}" for node in nodes if not os.access(devices / node.name, os.R_OK | os.W_OK)]
    how = "Add the user to the group render (usermod -aG render $USER), and log in again"
    return [Missing(what=f"this user may not open {closed[0]}", how=how)] if closed else []
