"""An estimate where nothing is measured: CPU time x the CPU's thermal design power / its hardware threads.

The power is what codecarbon's table of CPUs says. The estimate has no idle power, memory or GPU in it, and takes a busy
thread to use its full share whatever it computes; between two models it therefore says what their CPU times say.

In a virtual machine the table's power is that of the whole CPU, of which the machine is a part. How many threads share
it is then known only if the CPU's name tells its cores ("AMD EPYC 7763 64-Core Processor"). Where that, or the CPU, is
not known, codecarbon's own default counts: 4 W per thread.

codecarbon is imported in a fresh interpreter. No tracker is made, so that nothing is sent, printed or written. It takes
2 to 3 seconds, once: naming the CPU 1.3, pandas 0.6; in this process it would hold 55 MB.
"""

from __future__ import annotations

import importlib.util
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatekeeper.hardware.machine import installed, this_machine
from gatekeeper.making.cache import Cache
from gatekeeper.measure.energy._base import INSTALL, Absent, Meter, Unreadable
from gatekeeper.measure.energy._probe import ask

KIND = "estimate"
DEVICES = ("cpu",)

PROBE = """
import json
from codecarbon.core.cpu import DEFAULT_POWER_PER_CORE, TDP
from codecarbon.core.util import count_cpus, count_physical_cpus
power = TDP()
known = power.tdp is not None and power.tdp != count_cpus() * DEFAULT_POWER_PER_CORE
print(json.dumps({
    "model": str(power.model),
    "watts": float(power.tdp) if known else None,
    "default_watts": float(DEFAULT_POWER_PER_CORE),
    "sockets": int(count_physical_cpus()),
}))
"""


@dataclass(frozen=True)
class Cpu:
    """A CPU: watts of one package, None if unknown; threads and cores of all packages as the system shows them."""

    model: str
    watts: float | None
    default_watts: float
    sockets: int
    threads: int
    cores: int
    virtual: bool


def find(device: str, cache: Cache | None = None) -> Meter | Absent:
    """Watts per second of CPU time."""
    if importlib.util.find_spec("codecarbon") is None:
        return Absent(f"there is no estimate from CPU time without codecarbon. {INSTALL}")
    import psutil

    threads = psutil.cpu_count() or 1
    try:
        cpu = Cpu(**_probed(cache), threads=threads, cores=psutil.cpu_count(logical=False) or threads, virtual=_virtual())
    except Unreadable as error:
        return Absent(f"codecarbon: {error}")
    watts, how = watts_per_thread(cpu)
    return Meter("codecarbon", "estimate", f"CPU time at {watts:.1f} W per hardware thread ({how}); no idle power", watts=watts)


def _probed(cache: Cache | None) -> dict[str, Any]:
    """What codecarbon says of this CPU, asked once per CPU and version where there is a cache."""
    if cache is None:
        return ask(PROBE)
    key = {"cpu": this_machine().cpu, "threads": this_machine().threads, "codecarbon": installed("codecarbon")}
    return cache.get_or_make("energy", key, lambda folder: ask(PROBE))[1].meta


def watts_per_thread(cpu: Cpu) -> tuple[float, str]:
    """Watts that one busy hardware thread stands for, and where they come from."""
    named = re.search(r"\b(\d+)-Core\b", cpu.model)
    if cpu.watts is None:
        return cpu.default_watts, f"codecarbon's default, as it does not know '{cpu.model}'"
    if named:
        threads = int(named[1]) * max(1, round(cpu.threads / cpu.cores))
    elif cpu.virtual:
        return cpu.default_watts, f"codecarbon's default, as a virtual machine hides how many cores '{cpu.model}' has"
    else:
        threads = max(1, round(cpu.threads / max(1, cpu.sockets)))
    return cpu.watts / threads, f"{cpu.watts:.0f} W thermal design power of '{cpu.model}' over {threads} threads"


def _virtual() -> bool:
    """Whether Linux on x86 says that it runs in a virtual machine; other systems are not asked."""
    if platform.system() != "Linux":
        return False
    try:
        return bool(re.search(r"^flags\s*:.*\bhypervisor\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE))
    except OSError:
        return False
