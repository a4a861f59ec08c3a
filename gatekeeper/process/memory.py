"""How much memory a worker holds, read from outside it.

On Linux: proportional set size without code. Anonymous memory and mapped data count; mapped libraries do not,
because their share changes with how many other workers happen to have them mapped. Elsewhere: unique set size.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

METRIC: Literal["pss", "uss"] = "pss" if sys.platform == "linux" else "uss"


SETTLED_BYTES = 2**20


class Footprint:
    """Samples one process and its descendants.

    A full sample walks the mappings; a quick one reads one counter, of anonymous pages, and reuses what the last full
    sample counted besides, so that short peaks of anonymous memory are seen at a millisecond's resolution.
    """

    def __init__(self, pid: int):
        self.pid = pid
        self._besides = 0  # what a full sample counts beside anonymous resident pages

    def full(self) -> int | None:
        """Bytes now; None when the process is gone or the system does not tell."""
        if METRIC == "uss":
            return _unique(self.pid)
        before = _status(self.pid)
        total = 0
        for pid in (self.pid, *_descendants(self.pid)):
            counted = _proportional(pid)
            if counted is None:
                return None
            total += counted
        status = _status(self.pid)
        # While it grows, the two counts are of different moments, and their difference means nothing. The kernel's own
        # counters lag by some pages of each thread.
        if status and before and abs(status.get("RssAnon", 0) - before.get("RssAnon", 0)) <= SETTLED_BYTES:
            self._besides = total - status.get("RssAnon", total)
        return total

    def quick(self) -> int | None:
        """Bytes now, at a fraction of the cost while there are no descendants."""
        if METRIC == "uss" or _descendants(self.pid):
            return self.full()
        status = _status(self.pid)
        return status["RssAnon"] + self._besides if status and "RssAnon" in status else self.full()

    def reset_high_water(self) -> int | None:
        """Start a new high-water mark; the resident bytes it starts from, or None where there is none."""
        try:
            Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        except OSError:
            return None
        status = _status(self.pid)
        return status.get("VmRSS") if status else None

    def resident(self) -> int | None:
        """Resident bytes now, code included; None where the system keeps no mark to hold them against."""
        status = _status(self.pid) if METRIC == "pss" else None
        return status.get("VmRSS") if status else None

    def high_water(self) -> int | None:
        """The kernel's own peak of resident bytes (VmHWM) since the reset, code included."""
        status = _status(self.pid)
        return status.get("VmHWM") if status else None


def resident(pid: int) -> int:
    """Resident bytes of a process and its descendants; 0 when it is gone. Cheap; used to hold the limit."""
    if METRIC == "pss":
        return sum((_status(p) or {}).get("VmRSS", 0) for p in (pid, *_descendants(pid)))
    import psutil

    try:
        process = psutil.Process(pid)
        return sum(p.memory_info().rss for p in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0


def available() -> int:
    """Bytes that can be taken without swapping, within the container's limit where there is one."""
    import psutil

    free = psutil.virtual_memory().available
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):
        return free
    return free if limit == "max" else max(0, min(free, int(limit) - used))


def _status(pid: int) -> dict[str, int] | None:
    """The byte counters of /proc/PID/status."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    counters = {}
    for line in text.splitlines():
        if line.endswith(" kB"):
            name, _, value = line.partition(":")
            counters[name] = int(value[:-3]) * 1024
    return counters


def _proportional(pid: int) -> int | None:
    """Proportional bytes of one process, without files that have code in them."""
    try:
        text = Path(f"/proc/{pid}/smaps").read_text(errors="replace")
    except OSError:
        return None
    anonymous, path = 0, ""
    files: dict[str, int] = {}
    code: set[str] = set()
    for line in text.splitlines():
        if line[0].isdigit() or line[0] in "abcdef":
            parts = line.split(None, 5)
            path = parts[5] if len(parts) > 5 and parts[5].startswith("/") else ""
            if path and "x" in parts[1]:
                code.add(path)
        elif line.startswith("Pss:"):
            size = int(line.split()[1]) * 1024
            if path:
                files[path] = files.get(path, 0) + size
            else:
                anonymous += size
    return anonymous + sum(size for path, size in files.items() if path not in code)


def _descendants(pid: int) -> tuple[int, ...]:
    if METRIC != "pss":
        return ()
    pids: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                pids += [int(child), *_descendants(int(child))]
    except OSError:
        return tuple(pids)
    return tuple(pids)


def _unique(pid: int) -> int | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return sum(p.memory_full_info().uss for p in (process, *process.children(recursive=True)))
    except psutil.Error:
        return None
