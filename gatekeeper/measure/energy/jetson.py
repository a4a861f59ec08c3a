"""Energy of an NVIDIA Jetson from its board's power monitors (INA3221), as Linux shows them from JetPack 5 on.

Format: https://docs.kernel.org/hwmon/ina3221.html. A monitor tells the voltage and the current of three rails and counts nothing:
a thread reads them every 20 ms while there is somebody to ask, and adds up their product. `tegrastats` and jetson-stats read the
same files. Which rails there are depends on the board, and some contain others, so that only sums of the known boards are taken:
where one rail feeds the whole module that one, else those that lie side by side.

NOT RUN on a Jetson: written after the kernel's documentation, NVIDIA's tables of rails (Jetson Linux developer guide, power
monitors) and those of energymon; tested with trees of files.
"""

from __future__ import annotations

import platform
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

from gatekeeper.making.cache import Cache
from gatekeeper.measure.energy._base import Absent, Counter, Meter, Unreadable

KIND = "measured"
DEVICES = ("auto", "cpu", "cuda", "gpu")

ROOT = Path("/sys/class/hwmon")
CHIP = "ina3221"
CHANNELS = (1, 2, 3)
BOARDS = (
    ("VDD_IN",),  # Orin Nano, Orin NX, Xavier NX, TX2: the whole module
    ("POM_5V_IN",),  # Nano
    ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),  # AGX Orin
    ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),  # AGX Xavier
)
PERIOD_S = 0.02
STALLED_S = 0.5
"""A longer pause between two readings is a part of the run of which nobody knows."""


def find(device: str, cache: Cache | None = None, root: Path | None = None) -> Meter | Absent:
    """The rails of the board this is; `root` is another place than sysfs."""
    root = root or ROOT
    if root == Path("/sys/class/hwmon") and platform.system() != "Linux":
        return Absent("read on Linux only")
    chips = sorted(chip for chip in root.glob("hwmon*") if _text(chip / "name") == CHIP)
    if not chips:
        return Absent(f"no power monitor of a Jetson ({CHIP}) under {root}; older systems than JetPack 5 show theirs elsewhere")
    rails = {label: (chip, n) for chip in chips for n in CHANNELS if (label := _text(chip / f"in{n}_label"))}
    board = next((names for names in BOARDS if set(names) <= rails.keys()), None)
    if board is None:
        return Absent(
            f"the rails {', '.join(sorted(rails)) or 'have no names'}: of no Jetson that is known, and some contain others"
        )
    try:
        sampler = Sampler([rails[name] for name in board])
        lag_s = PERIOD_S + max(_number(chip / "update_interval", 0) for chip in chips) / 1e3
    except PermissionError as error:
        return Absent(f"{error.filename} may not be read by this user")
    except (OSError, Unreadable) as error:
        return Absent(str(error))
    whole = "the whole module" if len(board) == 1 else "side by side"
    covers = f"{' + '.join(board)}, {whole}, idle and everything running on it; read every {PERIOD_S * 1e3:g} ms"
    return Meter("jetson", "measured", covers, [Counter(sampler.joules)], lag_s=lag_s)


class Sampler:
    """Adds up the power of some rails; its thread ends with it."""

    def __init__(self, rails: Sequence[tuple[Path, int]]):
        self._rails = list(rails)
        self._lock = threading.Lock()
        self._total, self._problem = 0.0, ""
        self._at, self._watts = time.perf_counter(), self._read()
        threading.Thread(target=_follow, args=(weakref.ref(self),), daemon=True).start()

    def joules(self) -> float:
        """Joules since it was made; `Unreadable` where some of the time since it was asked last is not known."""
        self.sample()
        with self._lock:
            problem, self._problem = self._problem, ""
        if problem:
            raise Unreadable(problem)
        return self._total

    def sample(self) -> None:
        """Read the rails now, and take power to have changed evenly since they were read last."""
        with self._lock:
            before, now = self._at, time.perf_counter()
            try:
                watts = self._read()
            except (OSError, Unreadable) as error:
                self._problem = str(error)
                return
            if now - before > STALLED_S:
                self._problem = f"its rails were not read for {now - before:.1f} s, as the machine is too busy"
            self._total += (self._watts + watts) / 2 * (now - before)
            self._at, self._watts = now, watts

    def _read(self) -> float:
        return sum(_number(chip / f"in{n}_input") * _number(chip / f"curr{n}_input") for chip, n in self._rails) / 1e6


def _follow(reference: weakref.ref[Sampler]) -> None:
    while (sampler := reference()) is not None:
        sampler.sample()
        del sampler
        time.sleep(PERIOD_S)


def _number(path: Path, otherwise: int | None = None) -> int:
    """A file's whole number: of millivolts, milliamperes or milliseconds. A current that flows back is negative."""
    text = _text(path)
    if not text and otherwise is not None:
        return otherwise
    if not text.removeprefix("-").isdecimal():
        raise Unreadable(f"{path} holds {text[:40]!r} instead of a number")
    return int(text)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("ascii", "replace").strip()
    except FileNotFoundError:
        return ""
