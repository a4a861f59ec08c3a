"""What every meter does, whatever its source, and how one is chosen."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from gatekeeper.measure.energy import _base
from gatekeeper.measure.energy._base import REGISTRY, Absent, Counter, Meter, Reading, Unreadable, meter, per_inference
from gatekeeper.measure.energy._probe import ask

DEVICES = ["cpu", "cuda", "gpu", "metal", "coreml", "npu"]


def readings(*values: float | Exception) -> Callable[[], float]:
    """A raw counter that gives these values one after the other."""
    left = iter(values)

    def raw() -> float:
        value = next(left)
        if isinstance(value, Exception):
            raise value
        return value

    return raw


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """Stand-ins for the modules of the folder: name -> module, or an error to raise."""
    members: dict[str, object] = {}

    def get(name: str) -> object:
        member = members[name]
        if isinstance(member, Exception):
            raise member
        return member

    class Folder:
        names = property(lambda self: tuple(sorted(members)))

    folder = Folder()
    folder.get = get  # type: ignore[attr-defined]
    monkeypatch.setattr(_base, "REGISTRY", folder)
    yield members


def source(kind: str, find: Callable[[str], object], devices: tuple[str, ...] = ("cpu",)) -> ModuleType:
    module = ModuleType("source")
    module.KIND, module.DEVICES, module.find = kind, devices, find  # type: ignore[attr-defined]
    return module


def test_a_counter_starts_at_0_and_adds_up() -> None:
    counter = Counter(readings(1000.0, 1001.5, 1004.0))
    assert [counter.read(), counter.read()] == [1.5, 4.0]


def test_wrap_around_is_undone_every_time() -> None:
    counter = Counter(readings(90.0, 10.0, 60.0, 5.0), wraps_at=100.0)
    assert [counter.read(), counter.read(), counter.read()] == [20.0, 70.0, 115.0]


@pytest.mark.parametrize("wraps_at", [None, 10.0])
def test_a_counter_that_falls_without_wrapping_loses_one_block_and_goes_on(wraps_at: float | None) -> None:
    counter = Counter(readings(1000.0, 1.0, 4.0), wraps_at)
    with pytest.raises(Unreadable):
        counter.read()
    assert counter.read() == 3.0


def test_a_meter_adds_its_counters_and_leaves_out_what_was_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the time between the readings was timed, so half of the joules belong to inferences."""
    times = iter([10**9, 3 * 10**9])
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(times))
    found = Meter("x", "measured", "all", counters=[Counter(readings(0.0, 0.0, 6.0)), Counter(readings(5.0, 5.0, 9.0))])
    assert found.since(found.read(), 10**9, 10**9) == pytest.approx(5.0)
    assert found.note == "all"


def test_never_more_than_was_counted() -> None:
    found = Meter("x", "measured", "all", counters=[Counter(readings(0.0, 0.0, 6.0))])
    assert found.since(found.read(), 10**15, 0) == 6.0


def test_an_estimate_is_watts_times_cpu_time() -> None:
    found = Meter("x", "estimate", "CPU time", watts=2.5)
    assert found.since(found.read(), wall_ns=10**9, cpu_ns=4 * 10**9) == 10.0


@pytest.mark.parametrize("error", [OSError(5, "gone"), ValueError(), Unreadable("the driver left"), RuntimeError("a\nb")])
def test_a_driver_that_goes_in_the_middle_costs_its_block_and_says_why(error: Exception) -> None:
    found = Meter("x", "measured", "all", counters=[Counter(readings(0.0, 1.0, error, error, 5.0, 7.0))])
    assert math.isnan(found.since(found.read(), 1, 0))
    lost = found.read()
    assert math.isnan(lost.joules)
    assert math.isnan(found.since(lost, 1, 0))
    assert found.read().joules == 7.0
    assert found.note.startswith("all; a reading failed: ")
    assert len(found.problems) == 1
    assert "\n" not in found.note


def test_an_error_without_text_has_a_reason_too() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert _base.reason(Mute()) == "Mute"


@pytest.mark.parametrize(
    ("joules", "count", "each"), [(6.0, 3, 2.0), (math.nan, 3, None), (0.0, 3, None), (6.0, 0, None), (-1.0, 2, None)]
)
def test_joules_of_one_inference(joules: float, count: int, each: float | None) -> None:
    assert per_inference(joules, count) == each


def test_nothing_reads_like_a_meter_and_knows_nothing() -> None:
    nothing = Absent("why")
    assert math.isnan(nothing.since(nothing.read(), 1, 1))
    assert (nothing.method, nothing.kind, nothing.note) == ("", "none", "why")


def test_a_counter_is_preferred_to_an_estimate(sources: dict[str, object]) -> None:
    sources["a"] = source("estimate", lambda device, cache: Meter("a", "estimate", "", watts=1.0))
    sources["b"] = source("measured", lambda device, cache: Meter("b", "measured", ""))
    assert meter("cpu").method == "b"


def test_an_estimate_is_taken_where_no_counter_is(sources: dict[str, object]) -> None:
    sources["a"] = source("estimate", lambda device, cache: Meter("a", "estimate", "", watts=1.0))
    sources["b"] = source("measured", lambda device, cache: Absent("none"))
    assert (meter("cpu").method, meter("cpu").kind) == ("a", "estimate")


def test_the_reasons_of_all_in_one_line(sources: dict[str, object]) -> None:
    def fails(device: str, cache: object) -> Meter:
        raise RuntimeError("two\nlines")

    sources["a"] = source("estimate", lambda device, cache: Absent("not there"))
    sources["b"] = source("measured", fails)
    sources["c"] = ImportError("a plugin's")
    dead = Meter("d", "measured", "", counters=[Counter(readings(0.0, OSError("gone")))])
    sources["d"] = source("measured", lambda device, cache: dead)
    sources["e"] = source("measured", lambda device, cache: Absent("of another device"), devices=("cuda",))
    assert meter("cpu").note == (
        "not measurable here: c: ImportError: a plugin's; b: RuntimeError: two lines; "
        "d: a reading failed: OSError: gone; a: not there"
    )


@pytest.mark.parametrize("device", DEVICES)
def test_this_machine_has_a_meter_or_a_reason(device: str) -> None:
    found = meter(device)
    assert "\n" not in found.note
    if isinstance(found, Absent):
        assert found.note.startswith("not measurable here: ")
        assert math.isnan(found.since(found.read(), 1, 1))
    else:
        assert found.method in REGISTRY.names
        before = found.read()
        sum(range(10**6))
        assert found.since(before, time.perf_counter_ns() - before.at_ns, 10**7) >= 0


@pytest.mark.parametrize("name", REGISTRY.builtin)
def test_a_source_has_its_slots(name: str) -> None:
    module = REGISTRY.get(name)
    assert module.KIND in ("measured", "estimate")
    assert isinstance(module.DEVICES, tuple)
    found = module.find(module.DEVICES[0])
    if isinstance(found, Absent):
        assert found.reason
        assert not found.reason.endswith(".")
    else:
        assert (found.method, found.kind) == (name, module.KIND)
        assert found.covers


def test_importing_the_folder_imports_no_library() -> None:
    names = ", ".join(f"gatekeeper.measure.energy.{name}" for name in REGISTRY.builtin)
    code = f"import sys, {names}; print({{'codecarbon', 'pynvml', 'pandas', 'psutil', 'numpy'}} & set(sys.modules) or 'none')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "none\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os; os.kill(os.getpid(), 11)", "crashes here"),
        ("raise LookupError('no such chip')", "LookupError: no such chip"),
        ("import os; os._exit(3)", "exit code 3"),
        ("print('hello')", "makes no sense"),
        ("print([1])", "makes no sense"),
        ("", "makes no sense"),
        ("import time; time.sleep(60)", "did not answer"),
    ],
)
def test_a_library_that_goes_wrong_is_a_reason(code: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if told == "did not answer":
        monkeypatch.setattr("gatekeeper.measure.energy._probe.TIMEOUT_S", 2.0)
    if sys.platform == "win32" and "kill" in code:
        pytest.skip("Windows has no signals")
    with pytest.raises(Unreadable, match=told):
        ask(code)


def test_what_a_library_has_started_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gatekeeper.measure.energy._probe.TIMEOUT_S", 5.0)
    code = f"""
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(500)"])
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
time.sleep(500)
"""
    with pytest.raises(Unreadable, match="did not answer"):
        ask(code)
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    assert child.is_running()
    child.kill()


def test_what_a_library_prints_before_its_answer_is_ignored() -> None:
    assert ask("print('welcome!'); print('{\"watts\": 3}')") == {"watts": 3}


def test_a_reading_is_a_time_and_joules() -> None:
    assert Reading(1, 2.0) == (1, 2.0)
