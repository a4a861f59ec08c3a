"""What else a machine does is noticed: real load is, heat and steal from counters put in its place."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from gatekeeper.measure import conditions as module
from gatekeeper.measure.conditions import Snapshot, conditions, snapshot, warnings
from gatekeeper.records.measured import Conditions

QUIET = Conditions(other_cpu=0.01, steal=0.0, throttle_events=0, frequency_mhz=(2000.0, 2000.0))


def at(
    seconds: float, busy: float = 0.0, steal: float = 0.0, own: float = 0.0, heat: int | None = 0, mhz: float = 2e3
) -> Snapshot:
    """A machine of two cores that has run for so long."""
    return Snapshot(seconds, busy, steal, 2 * seconds, own, heat, mhz)


def test_counters_only_grow() -> None:
    before = snapshot()
    time.sleep(0.05)
    after = snapshot()
    for name in ("at", "busy_s", "steal_s", "total_s", "own_s"):
        assert getattr(after, name) >= getattr(before, name) - 1e-6  # sums of counters round differently
    assert after.total_s > before.total_s


def test_shares_are_of_the_whole_machine() -> None:
    found = conditions([at(0), at(5, busy=3, steal=0.1, own=1), at(10, busy=13, steal=0.4, own=7, heat=3, mhz=1500.0)])
    assert found == Conditions(
        other_cpu=pytest.approx((13 - 7) / 20) if os.name == "posix" else None,
        steal=pytest.approx(0.4 / 20),
        throttle_events=3,
        frequency_mhz=(1500.0, 2000.0),
    )


def test_own_work_is_not_that_of_others() -> None:
    found = conditions([at(0), at(10, busy=8, own=8.02)])
    assert found is not None and found.other_cpu in (0.0, None)


@pytest.mark.parametrize("snapshots", [[], [at(1)]])
def test_one_look_tells_nothing(snapshots: list[Snapshot]) -> None:
    assert conditions(snapshots) is None


def test_two_looks_in_one_tick_tell_no_shares() -> None:
    found = conditions([at(1), at(1)])
    assert found is not None
    assert (found.other_cpu, found.steal) == (None, None)


def test_a_system_that_tells_no_heat_is_not_called_cool() -> None:
    found = conditions([at(0, heat=None), at(1, heat=None)])
    assert found is not None and found.throttle_events is None


def test_a_quiet_machine_gives_no_warning() -> None:
    assert warnings(QUIET) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"other_cpu": 0.43}, "other processes took 43% of the CPU"),
        ({"steal": 0.05}, "the hypervisor gave 5% of the CPU to other machines"),
        ({"throttle_events": 7}, "throttled 7 times"),
        ({"frequency_mhz": (1200.0, 2400.0)}, "between 1200 and 2400 MHz"),
    ],
)
def test_what_disturbs_is_named_with_a_remedy(change: dict[str, object], says: str) -> None:
    [said] = warnings(Conditions(**(dataclasses_of(QUIET) | change)))  # type: ignore[arg-type]
    assert says in said
    assert ": " in said


def dataclasses_of(found: Conditions) -> dict[str, object]:
    return {name: getattr(found, name) for name in Conditions.__struct_fields__}


def busy() -> None:
    while True:
        pass


@pytest.mark.skipif(os.name != "posix", reason="a child's CPU time is not known on Windows")
def test_a_busy_neighbour_is_seen() -> None:
    neighbour = multiprocessing.get_context("spawn").Process(target=busy, daemon=True)
    neighbour.start()
    try:
        time.sleep(0.5)  # until it has started
        before = snapshot()
        time.sleep(1.0)
        found = conditions([before, snapshot()])
    finally:
        neighbour.kill()
        neighbour.join()
    assert found is not None and found.other_cpu is not None
    assert found.other_cpu >= 0.5 / (os.cpu_count() or 1)


@pytest.fixture
def cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_CPUS", tmp_path)
    monkeypatch.setattr(module, "_RASPBERRY_PI", tmp_path / "get_throttled")
    return tmp_path


def test_heat_is_summed_over_cores(cpus: Path) -> None:
    assert snapshot().throttle_events is None
    for core, events in (("cpu0", "2\n"), ("cpu11", "5\n"), ("cpu12", "garbage")):
        file = cpus / core / "thermal_throttle/core_throttle_count"
        file.parent.mkdir(parents=True)
        file.write_text(events)
    assert snapshot().throttle_events == 7


@pytest.mark.parametrize(("bits", "events"), [("0", 0), ("50000", 0), ("4", 1), ("50005", 1)])
def test_a_raspberry_pi_tells_it_in_bits(cpus: Path, bits: str, events: int) -> None:
    (cpus / "get_throttled").write_text(bits + "\n")
    assert snapshot().throttle_events == events


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts steal")
def test_a_frequency_nobody_tells_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    def refuse() -> None:
        raise NotImplementedError

    monkeypatch.setattr(psutil, "cpu_freq", refuse)
    found = conditions([snapshot(), dataclasses.replace(snapshot(), at=1e9)])
    assert found is not None and found.frequency_mhz is None
