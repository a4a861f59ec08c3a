"""Jetson's rails, on trees made as the kernel shows them; no machine of the project has the real ones."""

from __future__ import annotations

import gc
import math
import threading
import time
from pathlib import Path

import pytest

from gatekeeper.measure.energy import jetson
from gatekeeper.measure.energy._base import Absent, Meter
from gatekeeper.measure.energy.jetson import find

Rails = dict[str, tuple[int, int]]  # millivolts, milliamperes


def chip(root: Path, number: int, rails: Rails, name: str = "ina3221", interval_ms: int | None = 2) -> Path:
    """A chip of three channels, those without a name last, and the sum of shunts that the kernel shows as a seventh."""
    folder = root / f"hwmon{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    if interval_ms is not None:
        (folder / "update_interval").write_text(f"{interval_ms}\n")
    for n, (label, (mv, ma)) in enumerate(rails.items(), 1):
        (folder / f"in{n}_label").write_text(f"{label}\n")
        (folder / f"in{n}_input").write_text(f"{mv}\n")
        (folder / f"curr{n}_input").write_text(f"{ma}\n")
    (folder / "in7_label").write_text("sum of shunt voltages\n")
    (folder / "in7_input").write_text("99999\n")
    return folder


def opened(root: Path) -> Meter:
    found = find("cuda", root=root)
    assert isinstance(found, Meter), found
    return found


def watts(meter: Meter) -> float:
    """Over a moment."""
    before = meter.read()
    time.sleep(0.1)
    after = meter.read()
    return (after.joules - before.joules) / ((after.at_ns - before.at_ns) / 1e9)


NANO: Rails = {"VDD_IN": (5000, 2000), "VDD_CPU_GPU_CV": (5000, 900), "VDD_SOC": (5000, 300)}
AGX_ORIN: Rails = {"VDD_GPU_SOC": (20_000, 200), "VDD_CPU_CV": (20_000, 100), "VIN_SYS_5V0": (5000, 500)}
ORIN_SECOND: Rails = {"NC1": (0, 0), "VDDQ_VDD2_1V8AO": (5000, 300), "NC2": (0, 0)}
XAVIER_FIRST: Rails = {"GPU": (19_000, 100), "CPU": (19_000, 200), "SOC": (19_000, 100)}
XAVIER_SECOND: Rails = {"CV": (19_000, 0), "VDDRQ": (19_000, 50), "SYS5V": (5000, 400)}


@pytest.mark.parametrize(
    ("chips", "power"),
    [
        ([NANO], 10.0),
        ([{"POM_5V_IN": (5000, 600), "POM_5V_GPU": (5000, 100), "POM_5V_CPU": (5000, 200)}], 3.0),
        ([AGX_ORIN, ORIN_SECOND], 8.5),
        ([XAVIER_FIRST, XAVIER_SECOND], 10.55),
    ],
)
def test_rails_that_contain_others_are_counted_once(chips: list[Rails], power: float, tmp_path: Path) -> None:
    for number, rails in enumerate(chips):
        chip(tmp_path, number, rails)
    (tmp_path / "hwmon8").mkdir()
    (tmp_path / "hwmon8/name").write_text("tmp451\n")
    meter = opened(tmp_path)
    assert watts(meter) == pytest.approx(power, rel=0.03)
    assert meter.kind == "measured" and meter.lag_s == pytest.approx(0.022)


def test_power_that_changes_between_two_readings_is_seen(tmp_path: Path) -> None:
    folder = chip(tmp_path, 0, NANO)
    meter = opened(tmp_path)
    before = meter.read()
    time.sleep(0.2)
    (folder / "curr1_input").write_text("6000\n")
    time.sleep(0.2)
    (folder / "curr1_input").write_text("2000\n")
    time.sleep(0.2)
    used = meter.read().joules - before.joules
    assert 0.6 * 10 < used < 0.6 * 30 and used == pytest.approx(0.4 * 10 + 0.2 * 30, rel=0.4)  # of a machine that is busy


@pytest.mark.parametrize(("content", "why"), [("", "''"), ("5 V", "'5 V'"), ("1e3", "'1e3'"), ("NaN", "'NaN'")])
def test_what_is_no_number_makes_its_block_unknown_and_no_other(content: str, why: str, tmp_path: Path) -> None:
    folder = chip(tmp_path, 0, NANO)
    meter = opened(tmp_path)
    good = (folder / "in1_input").read_text()
    before = meter.read()
    (folder / "in1_input").write_text(content)
    assert math.isnan(meter.since(before, 10**6, 0))
    assert why in meter.note
    (folder / "in1_input").write_text(good)
    time.sleep(0.1)
    meter.read()
    assert watts(meter) == pytest.approx(10, rel=0.03)


def test_a_pause_without_readings_makes_a_block_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chip(tmp_path, 0, NANO)
    found = opened(tmp_path)
    monkeypatch.setattr(jetson, "STALLED_S", -1.0)
    assert math.isnan(found.read().joules) and "too busy" in found.note


@pytest.mark.parametrize(
    ("rails", "name", "said"),
    [
        (NANO, "ina219", "no power monitor of a Jetson"),
        ({"VBUS": (5000, 1)}, "ina3221", "the rails VBUS: of no Jetson that is known"),
        ({}, "ina3221", "have no names"),
        ({"VDD_GPU_SOC": (5000, 1), "VDD_CPU_CV": (5000, 1)}, "ina3221", "of no Jetson that is known"),
    ],
)
def test_a_board_that_is_not_known_is_not_summed_up(rails: Rails, name: str, said: str, tmp_path: Path) -> None:
    chip(tmp_path, 0, rails, name)
    found = find("cuda", root=tmp_path)
    assert isinstance(found, Absent) and said in found.reason


def test_a_rail_without_a_reading_is_no_meter(tmp_path: Path) -> None:
    folder = chip(tmp_path, 0, NANO)
    (folder / "curr1_input").unlink()
    found = find("cuda", root=tmp_path)
    assert isinstance(found, Absent) and "curr1_input holds ''" in found.reason


def test_its_thread_ends_with_the_meter(tmp_path: Path) -> None:
    chip(tmp_path, 0, NANO)
    before = set(threading.enumerate())
    meter = opened(tmp_path)
    [own] = set(threading.enumerate()) - before
    del meter
    gc.collect()
    own.join(5)
    assert not own.is_alive()
