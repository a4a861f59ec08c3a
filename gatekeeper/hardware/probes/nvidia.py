"""NVIDIA GPUs, by their driver; one without a driver is found on the PCI bus."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from gatekeeper.hardware.probes._base import Found, Missing, pci, text

DESCRIPTION, ORDER = "NVIDIA GPUs, their driver and memory.", 20

VENDOR = "0x10de"
_QUERY = ("--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader")


def look(root: Path) -> list[Found]:
    """Every GPU that the driver names; else what is there without one."""
    version = text(root / "proc/driver/nvidia/version") or (root / "dev/nvidiactl").exists() or (root / "dev/dxg").exists()
    if not version:
        lacks = Missing(what="no NVIDIA driver is loaded", how="Install NVIDIA's driver for this GPU and restart")
        return [_found(f"NVIDIA GPU at {each.name}", {}, [lacks]) for each in pci(root, VENDOR, ("0x03",))]
    if rows := _asked() if root == Path("/") else []:
        return rows
    names = [_named(file) for file in sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))]
    lacks = Missing(what="nvidia-smi does not answer", how="Install the driver's utilities (nvidia-utils), or repair the driver")
    return [_found(name, {}, [lacks]) for name in names or ["NVIDIA GPU"]]


def _asked() -> list[Found]:
    if not (program := shutil.which("nvidia-smi")):
        return []
    done = subprocess.run([program, *_QUERY], capture_output=True, text=True, check=False)
    found = []
    for line in done.stdout.splitlines() if done.returncode == 0 else []:
        cells = [cell.strip() for cell in line.split(",")]
        found.append(_found(cells[0], dict(zip(("driver", "memory", "compute capability"), cells[1:], strict=False)), []))
    return found


def _named(file: Path) -> str:
    lines = (line.partition(":") for line in text(file).splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == "Model"), "NVIDIA GPU")


def _found(name: str, facts: dict[str, str], missing: list[Missing]) -> Found:
    return Found(name=name, kind="gpu", device="cuda", facts=facts, missing=missing)
