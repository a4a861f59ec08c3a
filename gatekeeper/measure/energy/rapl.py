"""Energy of the CPU from the running average power limit counters (RAPL) of Intel and AMD, as Linux shows them.

Format: https://docs.kernel.org/power/powercap/powercap.html. Of the domains, the packages count (cores and an integrated
GPU are parts of them), and their DRAM where it is a domain of its own. `psys`, which contains the packages, does not,
nor does intel-rapl-mmio, which is a second view of the same packages. The hardware updates about every millisecond.

A counter wraps around after minutes to hours; more than once between two readings is not noticed.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

from gatekeeper.making.cache import Cache
from gatekeeper.measure.energy._base import Absent, Counter, Meter, Unreadable

KIND = "measured"
DEVICES = ("auto", "cpu", "gpu")  # "gpu" is Intel's, which is usually inside the package

ROOT = Path("/sys/class/powercap")
LAG_S = 1e-3  # the hardware's own step
MIRROR_JOULES = 1.0  # two independent counters are never this near, two readings of one are


def find(device: str, cache: Cache | None = None, root: Path | None = None) -> Meter | Absent:
    """The sum of all packages and their DRAM; `root` is another place than sysfs."""
    if root is None:
        if platform.system() != "Linux":
            return Absent("read on Linux only")
        root = ROOT
    names = {path.name: _name(path) for path in root.glob("intel-rapl:*")}
    packages = sorted(d for d, name in names.items() if re.fullmatch(r"intel-rapl:\d+", d) and name.startswith("package"))
    if not packages:
        return Absent(
            f"no counters of a CPU package under {root}, as in most virtual machines and containers; measure on the "
            "hardware itself, or load the module with `sudo modprobe intel_rapl_msr`"
        )
    try:
        readable = [_value(root / domain / "energy_uj") for domain in packages]
    except PermissionError:
        return Absent(
            f"{root}/intel-rapl:*/energy_uj may be read by root only (CVE-2020-8694); allow it until the next start "
            f"with `sudo chmod a+r {root}/intel-rapl:*/energy_uj`"
        )
    except (OSError, Unreadable) as error:
        return Absent(str(error))
    if not any(readable):
        return Absent(f"every counter under {root} stands at 0, as in some virtual machines; measure on the hardware itself")
    kept = _distinct(names, dict(zip(packages, readable, strict=True)))
    counters = [_counter(root / domain) for domain in kept]
    memory = {d.rpartition(":")[0]: d for d, name in names.items() if name == "dram"}
    try:
        dram = [_counter(root / memory[domain]) for domain in kept]
    except (OSError, Unreadable, KeyError):
        dram = []  # of every package or of none: a part of the memory would be no quantity
    parts = "CPU package" + (" and DRAM" if dram else " without DRAM")
    gpu = "; of GPUs only one inside the package" if device == "gpu" else ""
    return Meter("rapl", "measured", f"{parts}, idle and everything running on it{gpu}", counters + dram, lag_s=LAG_S)


def _counter(domain: Path) -> Counter:
    try:
        wraps_at: float | None = _value(domain / "max_energy_range_uj")
    except (OSError, Unreadable):
        wraps_at = None
    return Counter(lambda: _value(domain / "energy_uj"), wraps_at)


def _distinct(names: dict[str, str], joules: dict[str, float]) -> list[str]:
    """Packages without the mirrors of the same counter that AMD CPUs of several dies show, one for each die."""
    kept: dict[str, float] = {}
    for domain, value in joules.items():
        socket = names[domain].partition("-die-")[0]
        same = [v for d, v in kept.items() if names[d].partition("-die-")[0] == socket]
        if not any(abs(value - v) < MIRROR_JOULES for v in same):
            kept[domain] = value
    return list(kept)


def _name(domain: Path) -> str:
    try:
        return (domain / "name").read_bytes().decode("ascii", "replace").strip()
    except OSError:
        return ""


def _value(path: Path) -> float:
    """The joules in a file of microjoules."""
    text = path.read_bytes().strip()
    if not text.isdigit():
        raise Unreadable(f"{path} holds {text[:40].decode('ascii', 'backslashreplace')!r} instead of a number")
    return int(text) / 1e6
