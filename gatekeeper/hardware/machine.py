"""What machine this is: read from the system, without starting a framework."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from gatekeeper.records import Environment

ISA_FLAGS = (
    "sse4_2", "avx", "avx2", "f16c", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16",
    "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2",
)  # fmt: skip
"""Instruction sets that change how fast or how exact a quantized model is."""


@dataclass(frozen=True)
class Machine:
    """The facts targets and reports need. `arch` is x86_64, arm64 or what the system says."""

    system: str
    arch: str
    cpu: str
    isa: tuple[str, ...]
    cores: int
    threads: int
    memory_bytes: int
    gpu_vendors: tuple[str, ...]
    nvidia: bool
    npu: bool

    @property
    def vnni(self) -> bool:
        """Whether 8-bit products are accumulated in 32 bits, without saturating in between."""
        return bool({"avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"} & set(self.isa))


@cache
def this_machine() -> Machine:
    """Describe the machine this process runs on."""
    import psutil

    arch = {"amd64": "x86_64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())
    cpu, flags = _cpu()
    return Machine(
        system=platform.system(),
        arch=arch,
        cpu=cpu or platform.processor() or arch,
        isa=tuple(flag for flag in ISA_FLAGS if flag in flags),
        cores=psutil.cpu_count(logical=False) or os.cpu_count() or 1,
        threads=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        gpu_vendors=_gpu_vendors(),
        nvidia=any(Path(p).exists() for p in ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")),
        npu=Path("/dev/accel").exists() or any(Path("/dev").glob("apex_*")),
    )


def environment(threads: int, packages: tuple[str, ...]) -> Environment:
    """The fingerprint of this machine and of the packages that ran on it."""
    machine = this_machine()
    return Environment(
        cpu=machine.cpu,
        isa=list(machine.isa),
        threads=threads,
        packages={name: version for name in packages if (version := installed(name))},
        cores=machine.cores,
        memory_bytes=machine.memory_bytes,
        os=platform.platform(terse=True),
        python=platform.python_version(),
        machine=machine.arch,
    )


def installed(package: str) -> str | None:
    """Version of an installed distribution, None if it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> tuple[str, set[str]]:
    """Model name and instruction set flags in Linux's spelling; empty where the system does not tell."""
    if platform.system() == "Darwin":
        name = _run("sysctl", "-n", "machdep.cpu.brand_string")
        features = _run("sysctl", "-a")
        arm = {"FEAT_DotProd": "asimddp", "FEAT_I8MM": "i8mm", "FEAT_BF16": "bf16", "FEAT_FP16": "asimdhp"}
        flags = {flag for key, flag in arm.items() if f"hw.optional.arm.{key}: 1" in features}
        x86 = _run("sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features").lower().replace(".", "_")
        return name, flags | set(x86.split()) | ({"asimd"} if flags else set())
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor(), set()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines()) if value}
    name = fields.get("model name") or fields.get("Model") or fields.get("Hardware") or ""
    return name, set((fields.get("flags") or fields.get("Features") or "").split())


def _gpu_vendors() -> tuple[str, ...]:
    vendors = set()
    for path in Path("/sys/class/drm").glob("renderD*/device/vendor"):
        try:
            vendors.add(path.read_text().strip())
        except OSError:
            continue
    return tuple(sorted(vendors))


def _run(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
