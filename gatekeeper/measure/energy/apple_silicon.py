"""Energy of an Apple chip from IOReport, which needs no root, through the package zeus-apple-silicon.

NOT RUN: written after the description and the symbols of zeus-apple-silicon 1.1.0 and the source of its binding
(`AppleEnergyMonitor().get_cumulative_energy()`, fields in millijoules, None where the chip has none); tested with a
stand-in for that class only, never on a Mac.

The numbers come from Apple's own model of power, in steps of 1 mJ. Only the GPU's are up to date when they are read:
those of CPU, memory and neural engine were seen to be published every 0.5 s (M1 Ultra) to 2 s (M5 Max) by
https://github.com/lablup/all-smi/issues/415, so that blocks of less than several seconds are credited with a part of
their neighbours' energy, and a comparison of two models finds less of a difference than there is.
"""

from __future__ import annotations

import importlib.util
import platform
from typing import Any

from gatekeeper.making.cache import Cache
from gatekeeper.measure.energy._base import INSTALL, Absent, Counter, Meter, Unreadable
from gatekeeper.measure.energy._probe import ask

KIND = "measured"
DEVICES = ("cpu", "gpu", "metal", "coreml")
LAG_S = 2.0  # the longest that was seen

PARTS = {
    "cpu_total_mj": "CPU",
    "gpu_mj": "GPU",
    "gpu_sram_mj": "GPU SRAM",
    "dram_mj": "DRAM",
    "ane_mj": "neural engine",
}

# In a process of its own first: where the system has no such channels, as in a virtual machine, the library does not
# raise but reads through a null pointer.
PROBE = """
import json, zeus_apple_silicon
zeus_apple_silicon.AppleEnergyMonitor().get_cumulative_energy()
print(json.dumps({}))
"""


def find(device: str, cache: Cache | None = None) -> Meter | Absent:
    """The sum of all parts of the chip, whichever the model runs on."""
    if platform.system() != "Darwin" or platform.machine() != "arm64":
        return Absent("only on a Mac with Apple silicon")
    if importlib.util.find_spec("zeus_apple_silicon") is None:
        return Absent(f"the package zeus-apple-silicon is not installed. {INSTALL}")
    try:
        ask(PROBE)
    except Unreadable as error:
        return Absent(f"zeus-apple-silicon: {error}; a virtual Mac has no counters, measure on the hardware itself")
    import zeus_apple_silicon

    return open_monitor(zeus_apple_silicon.AppleEnergyMonitor())


def open_monitor(monitor: Any) -> Meter | Absent:
    """The same with a given monitor."""
    first = monitor.get_cumulative_energy()
    parts = [name for name in PARTS if getattr(first, name, None) is not None]
    if "cpu_total_mj" not in parts:
        return Absent("zeus-apple-silicon finds no energy of the CPU; a newer version may know this chip")

    def joules() -> float:
        now = monitor.get_cumulative_energy()
        return float(sum(getattr(now, name) for name in parts)) / 1e3

    covers = f"{', '.join(PARTS[name] for name in parts)}, by Apple's model of power; idle and everything running on it"
    return Meter("apple_silicon", "measured", covers, [Counter(joules)], lag_s=LAG_S)
