"""Apple silicon: a stand-in for the library's monitor, as no Mac is here; on one, the real thing."""

from __future__ import annotations

import math
import platform
from types import SimpleNamespace

import pytest

from gatekeeper.measure.energy import apple_silicon
from gatekeeper.measure.energy._base import Absent, Meter

ALL_NS = 10**15
MAC = platform.system() == "Darwin" and platform.machine() == "arm64"


class Monitor:
    """`zeus_apple_silicon.AppleEnergyMonitor`, for given millijoules."""

    def __init__(self, **fields: int | None):
        self.fields = fields

    def get_cumulative_energy(self) -> SimpleNamespace:
        return SimpleNamespace(**self.fields)


@pytest.mark.skipif(MAC, reason="this is one")
def test_elsewhere() -> None:
    assert apple_silicon.find("metal") == Absent("only on a Mac with Apple silicon")


@pytest.mark.skipif(not MAC, reason="needs a Mac with Apple silicon")
def test_here() -> None:
    pytest.importorskip("zeus_apple_silicon")
    found = apple_silicon.find("metal")
    if isinstance(found, Meter):
        assert not math.isnan(found.read().joules)
    else:
        assert "zeus-apple-silicon" in found.reason


def test_all_parts_of_the_chip_count() -> None:
    monitor = Monitor(cpu_total_mj=1000, gpu_mj=10, gpu_sram_mj=1, dram_mj=100, ane_mj=0)
    found = apple_silicon.open_monitor(monitor)
    assert isinstance(found, Meter)
    before = found.read()
    monitor.fields = {"cpu_total_mj": 3000, "gpu_mj": 1010, "gpu_sram_mj": 501, "dram_mj": 350, "ane_mj": 125}
    assert found.since(before, ALL_NS, 10**9) == pytest.approx(2 + 1 + 0.5 + 0.25 + 0.125)
    assert found.covers.startswith("CPU, GPU, GPU SRAM, DRAM, neural engine, by Apple's model")
    assert (found.method, found.kind) == ("apple_silicon", "measured")


def test_a_chip_without_some_of_them() -> None:
    monitor = Monitor(cpu_total_mj=1000, gpu_mj=10, gpu_sram_mj=None, dram_mj=None)
    found = apple_silicon.open_monitor(monitor)
    assert isinstance(found, Meter)
    before = found.read()
    monitor.fields |= {"cpu_total_mj": 2000}
    assert found.since(before, ALL_NS, 0) == pytest.approx(1)
    assert found.covers.startswith("CPU, GPU, by Apple's model")


def test_a_chip_the_library_does_not_know() -> None:
    assert isinstance(apple_silicon.open_monitor(Monitor(cpu_total_mj=None, gpu_mj=5)), Absent)


def test_a_part_that_goes_in_the_middle() -> None:
    monitor = Monitor(cpu_total_mj=1000, gpu_mj=10)
    found = apple_silicon.open_monitor(monitor)
    assert isinstance(found, Meter)
    before = found.read()
    monitor.fields["gpu_mj"] = None
    assert math.isnan(found.since(before, ALL_NS, 0))
    assert "a reading failed" in found.note


@pytest.mark.parametrize("installed", [False, True])
def test_a_mac_on_which_the_library_is_missing_or_fails(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(apple_silicon.importlib.util, "find_spec", lambda name: installed or None)
    monkeypatch.setattr(apple_silicon, "PROBE", "import os, signal; os.abort()")
    found = apple_silicon.find("cpu")
    assert isinstance(found, Absent)
    assert ("a virtual Mac has no counters" if installed else 'pip install ".[energy]"') in found.reason
