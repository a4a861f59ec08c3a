"""What machine this is: read from the system, without starting a framework."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gatekeeper.records.measured import Environment

ISA_FLAGS = (
    "sse4_2", "avx", "avx2", "f16c", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16",
    "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2",
)  # fmt: skip
"""Instruction sets that change how fast or how exact a quantized model is, in Linux's spelling."""

_USUAL_NAMES = {"asimd": "neon", "asimdhp": "neon_fp16", "asimddp": "dotprod"}


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
    governor: str = ""
    accelerators: tuple[str, ...] = ()

    @property
    def vnni(self) -> bool:
        """Whether 8-bit products are accumulated in 32 bits, without saturating in between."""
        return bool({"avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"} & set(self.isa))


@cache
def this_machine() -> Machine:
    """The machine this process runs on, described once."""
    return describe()


def describe() -> Machine:
    """Describe the machine as it is now."""
    import psutil

    arch = {"amd64": "x86_64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())
    cpu, flags = processor()
    return Machine(
        system=platform.system(),
        arch=arch,
        cpu=cpu or platform.processor() or arch,
        isa=tuple(flag for flag in ISA_FLAGS if flag in flags),
        cores=psutil.cpu_count(logical=False) or os.cpu_count() or 1,
        threads=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        governor=_governor(),
        accelerators=_accelerators(),
        gpu_vendors=_gpu_vendors(),
        nvidia=_nvidia(),
        npu=Path("/dev/accel").exists() or any(Path("/dev").glob("apex_*")),
    )


def environment(threads: int, packages: tuple[str, ...]) -> Environment:
    """The fingerprint of this machine as it is now, and of the packages that ran on it."""
    machine = describe()
    return Environment(
        cpu=machine.cpu,
        isa=[usual(flag) for flag in machine.isa],
        threads=threads,
        packages={name: version for name in packages if (version := installed(name))},
        cores=machine.cores,
        memory_bytes=machine.memory_bytes,
        os=platform.platform(terse=True),
        python=platform.python_version(),
        machine=machine.arch,
        governor=machine.governor,
        accelerators=list(machine.accelerators),
    )


def differences(one: Environment, other: Environment) -> list[str]:
    """What two fingerprints disagree on, e.g. `governor: performance, powersave`."""
    pairs = ((name, getattr(one, name), getattr(other, name)) for name in Environment.__struct_fields__)
    return [f"{name}: {_shown(a)}, {_shown(b)}" for name, a, b in pairs if a != b]


def _shown(value: object) -> str:
    if isinstance(value, dict):
        value = [f"{name} {version}" for name, version in value.items()]
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def installed(package: str) -> str | None:
    """Version of an installed distribution, None if it is not there."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def usual(flag: str) -> str:
    """What people call an instruction set that Linux spells another way."""
    return _USUAL_NAMES.get(flag, flag)


def processor(root: Path = Path("/")) -> tuple[str, set[str]]:
    """Model name and instruction set flags in Linux's spelling; empty where the system does not tell."""
    if platform.system() == "Darwin" and root == Path("/"):
        name = _run("sysctl", "-n", "machdep.cpu.brand_string")
        features = _run("sysctl", "-a")
        arm = {"FEAT_DotProd": "asimddp", "FEAT_I8MM": "i8mm", "FEAT_BF16": "bf16", "FEAT_FP16": "asimdhp"}
        flags = {flag for key, flag in arm.items() if f"hw.optional.arm.{key}: 1" in features}
        x86 = _run("sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features").lower().replace(".", "_")
        return name, flags | set(x86.split()) | ({"asimd"} if flags else set())
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor(), _flags_numpy_sees()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines()) if value}
    name = fields.get("model name") or fields.get("Model") or fields.get("Hardware") or ""
    return name, set((fields.get("flags") or fields.get("Features") or "").split())


def _flags_numpy_sees() -> set[str]:
    """For systems without a list of their own (Windows); numpy asks the processor when it is imported."""
    import importlib

    try:
        features: dict[str, bool] = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):
        return set()
    names = {"SSE42": "sse4_2", "FMA3": "fma", "AVX512F": "avx512f", "AVX512VNNI": "avx512_vnni", "ASIMDHP": "asimdhp"}
    names |= {"AVX512_ICL": "avx512_vnni", "AVX512_SPR": "avx512_bf16", "ASIMDDP": "asimddp"}
    return {names.get(name, name.lower()) for name, there in features.items() if there}


def _governor() -> str:
    """How the clock is governed: one word, or several where cores differ."""
    return " ".join(_texts(Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")))


def _accelerators() -> tuple[str, ...]:
    """GPUs and NPUs by name and driver."""
    names = []
    if _nvidia():
        rows = _run("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader").splitlines()
        names += [f"NVIDIA {row.removeprefix('NVIDIA ')}".replace(", ", " · ") for row in rows if row.strip()]
    for device in (*Path("/sys/class/drm").glob("renderD*"), *Path("/sys/class/accel").glob("accel*")):
        driver = device / "device/driver"
        if driver.exists() and (name := driver.resolve().name) != "nvidia":
            names.append(name)
    return tuple(names)


def _nvidia() -> bool:
    return any(Path(p).exists() for p in ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"))


def _gpu_vendors() -> tuple[str, ...]:
    return _texts(Path("/sys/class/drm").glob("renderD*/device/vendor"))


def _texts(files: Iterable[Path]) -> tuple[str, ...]:
    """What the readable ones of some small files say, each once."""
    texts = set()
    for file in files:
        try:
            texts.add(file.read_text().strip())
        except OSError:
            continue
    return tuple(sorted(texts))


def _run(*command: str) -> str:
    import subprocess

    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
