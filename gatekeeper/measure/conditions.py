"""What else the machine was doing while it measured: other processes, a hypervisor, heat."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from gatekeeper.records.measured import Conditions

BUSY_SHARE = 0.1  # of the machine's CPU time, taken by others: worth telling
STEAL_SHARE = 0.02
FREQUENCY_DROP = 0.1

_CPUS = Path("/sys/devices/system/cpu")
_RASPBERRY_PI = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
_THROTTLED_NOW = 0b1110  # bits of the Raspberry Pi's firmware: frequency capped, throttled, soft temperature limit


@dataclass(frozen=True)
class Snapshot:
    """Counters of the whole machine; seconds since it started unless said otherwise."""

    at: float
    busy_s: float
    steal_s: float
    total_s: float
    own_s: float  # of this process and of the children it has waited for
    throttle_events: int | None
    frequency_mhz: float | None  # mean over cores, now


def snapshot() -> Snapshot:
    """Read the machine's counters; some 0.3 ms."""
    import psutil

    times = psutil.cpu_times()
    steal = getattr(times, "steal", 0.0)
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Linux counts guests twice: once as such, once as user.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    own = os.times()
    return Snapshot(
        at=time.monotonic(),
        busy_s=total - idle - steal,
        steal_s=steal,
        total_s=total,
        own_s=own.user + own.system + own.children_user + own.children_system,
        throttle_events=_throttle_events(),
        frequency_mhz=_frequency(),
    )


def conditions(snapshots: list[Snapshot]) -> Conditions | None:
    """What happened between the first and the last snapshot; None if there are fewer than two.

    On Windows a child's CPU time is not known afterwards, so what others took is not either.
    """
    if len(snapshots) < 2:
        return None
    first, last = snapshots[0], snapshots[-1]
    total = last.total_s - first.total_s
    others = (last.busy_s - first.busy_s) - (last.own_s - first.own_s)
    frequencies = [s.frequency_mhz for s in snapshots if s.frequency_mhz]
    throttled = None
    if first.throttle_events is not None and last.throttle_events is not None:
        throttled = last.throttle_events - first.throttle_events
    return Conditions(
        other_cpu=min(1.0, max(0.0, others / total)) if total > 0 and os.name == "posix" else None,
        steal=max(0.0, last.steal_s - first.steal_s) / total if total > 0 else None,
        throttle_events=throttled,
        frequency_mhz=(min(frequencies), max(frequencies)) if frequencies else None,
    )


def warnings(measured: Conditions) -> list[str]:
    """What a reader should know before believing a close call."""
    said = []
    if measured.other_cpu is not None and measured.other_cpu >= BUSY_SHARE:
        said.append(
            f"other processes took {measured.other_cpu:.0%} of the CPU while measuring: stop them, or use a quieter runner"
        )
    if measured.steal is not None and measured.steal >= STEAL_SHARE:
        said.append(f"the hypervisor gave {measured.steal:.0%} of the CPU to other machines: use a dedicated runner")
    if measured.throttle_events:
        said.append(f"the CPU was throttled {measured.throttle_events} times: cool it, or lower `threads`")
    if measured.frequency_mhz and measured.frequency_mhz[0] < (1 - FREQUENCY_DROP) * measured.frequency_mhz[1]:
        low, high = measured.frequency_mhz
        said.append(f"the clock moved between {low:.0f} and {high:.0f} MHz: set the governor to performance, or cool the machine")
    return said


def _throttle_events() -> int | None:
    readings = [_number(path) for path in _CPUS.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    if counts := [count for count in readings if count is not None]:
        return sum(counts)
    bits = _number(_RASPBERRY_PI, base=16)
    return None if bits is None else int(bool(bits & _THROTTLED_NOW))


def _number(path: Path, base: int = 10) -> int | None:
    try:
        return int(path.read_text().strip(), base)
    except (OSError, ValueError):
        return None


def _frequency() -> float | None:
    import psutil

    try:
        now = psutil.cpu_freq()
    except (AttributeError, OSError, NotImplementedError, RuntimeError):  # not every system tells
        return None
    return float(now.current) if now and now.current else None
