"""Processes that take a known amount of memory are measured to within 3 % or 2 MB."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gatekeeper.process import memory
from gatekeeper.process.memory import Footprint

SIZE = 96_000_000
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# Answers each line of standard input with one word once it is done; `{take}` runs on the first line.
TAKER = """
import mmap, os, sys, time
SIZE = {size}
def done():
    print("done", flush=True)
done()
sys.stdin.readline()
{take}
done()
sys.stdin.readline()
{give}
done()
sys.stdin.readline()
"""

ANONYMOUS = "held = b'x' * SIZE"
MAPPED = """
file = open({path!r}, "rb")
held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
total = sum(held[i] for i in range(0, len(held), 4096))
"""
SHARED = """
held = mmap.mmap(-1, SIZE)
held.write(b'x' * SIZE)
"""
FORKED = """
ready, wait = os.pipe(), os.pipe()
if not os.fork():
    held = b'x' * SIZE
    os.write(ready[1], b'x')
    os.read(wait[0], 1)
    os._exit(0)
os.read(ready[0], 1)
"""
SPLIT = """
first = b'x' * (SIZE // 2)
ready, wait = os.pipe(), os.pipe()
if not os.fork():
    second = b'x' * (SIZE // 2)
    os.write(ready[1], b'x')
    os.read(wait[0], 1)
    os._exit(0)
os.read(ready[0], 1)
"""
SUBPROCESS = """
import subprocess
child = subprocess.Popen([sys.executable, "-c", "b = b'x' * %d\\nprint('x', flush=True)\\nimport time\\ntime.sleep(600)" % SIZE],
    stdout=subprocess.PIPE)
child.stdout.read(1)
"""


class Taker:
    """A process that takes memory when told to, and gives it back when told to."""

    def __init__(self, take: str, give: str):
        code = TAKER.format(size=SIZE, take=take, give=give)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._wait()

    @property
    def pid(self) -> int:
        return self.process.pid

    def step(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self._wait()

    def _wait(self) -> None:
        assert self.process.stdout
        assert self.process.stdout.readline() == "done\n"

    def close(self) -> None:
        for child in psutil.Process(self.pid).children(recursive=True):
            child.kill()
        self.process.kill()
        self.process.communicate()


Start = Callable[..., Taker]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Taker] = []

    def take(code: str, give: str = "pass") -> Taker:
        started.append(Taker(code, give))
        return started[-1]

    yield take
    for taker in started:
        taker.close()


@pytest.fixture
def mapped(tmp_path: Path) -> str:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"x" * SIZE)
    return MAPPED.format(path=str(path))


def near(size: int) -> object:
    return pytest.approx(size, rel=0.03, abs=2_000_000)


def grown(before: int | None, after: int | None) -> int:
    assert before is not None
    assert after is not None
    return after - before


def test_anonymous_memory(start: Start) -> None:
    taker = start(ANONYMOUS)
    footprint = Footprint(taker.pid)
    before = footprint.full()
    taker.step()
    assert grown(before, footprint.full()) == near(SIZE)


@linux
def test_a_mapped_file_that_is_read(start: Start, mapped: str) -> None:
    taker = start(mapped)
    footprint = Footprint(taker.pid)
    before = footprint.full()
    taker.step()
    assert grown(before, footprint.full()) == near(SIZE)


@linux
def test_a_mapped_file_that_is_not_read_costs_nothing(start: Start, mapped: str) -> None:
    taker = start(mapped.partition("total")[0])
    footprint = Footprint(taker.pid)
    before = footprint.full()
    taker.step()
    assert grown(before, footprint.full()) == near(0)


@linux
def test_shared_memory(start: Start) -> None:
    taker = start(SHARED + "held2 = None")
    footprint = Footprint(taker.pid)
    before = footprint.full()
    taker.step()
    assert grown(before, footprint.full()) == near(SIZE)


@linux
@pytest.mark.parametrize("take", [FORKED, SPLIT], ids=["child", "split with its child"])
def test_a_forked_child_counts_and_nothing_counts_twice(start: Start, take: str) -> None:
    taker = start(take)
    footprint = Footprint(taker.pid)
    before = footprint.full()
    taker.step()
    assert grown(before, footprint.full()) == near(SIZE)
    assert grown(before, footprint.quick()) == near(SIZE)


def test_a_child_program_counts(start: Start) -> None:
    taker = start(SUBPROCESS)
    footprint = Footprint(taker.pid)
    before = footprint.full()
    taker.step()
    extra = grown(before, footprint.full()) - SIZE
    assert 0 < extra < 15_000_000  # a Python without anything


@linux
@pytest.mark.parametrize("take", [ANONYMOUS, SHARED], ids=["anonymous", "shared"])
def test_a_quick_sample_agrees_with_a_full_one(start: Start, take: str) -> None:
    taker = start(take)
    footprint = Footprint(taker.pid)
    assert footprint.quick() is not None
    assert footprint.full() == near(footprint.quick() or 0)
    taker.step()
    full = footprint.full()
    assert footprint.quick() == near(full or 0)


@linux
def test_a_quick_sample_knows_the_mapped_data_of_the_last_full_one(start: Start, mapped: str) -> None:
    taker = start(mapped)
    footprint = Footprint(taker.pid)
    taker.step()
    full = footprint.full()
    assert footprint.quick() == near(full or 0)


@linux
def test_a_quick_sample_agrees_where_large_libraries_are_loaded(start: Start) -> None:
    pytest.importorskip("onnxruntime")
    taker = start("import numpy, onnxruntime, scipy.stats")
    footprint = Footprint(taker.pid)
    taker.step()
    full = footprint.full()
    assert footprint.quick() == near(full or 0)


@linux
def test_a_quick_sample_sees_memory_taken_since(start: Start) -> None:
    taker = start(ANONYMOUS)
    footprint = Footprint(taker.pid)
    before = footprint.full()
    taker.step()
    assert grown(before, footprint.quick()) == near(SIZE)


def test_memory_given_back_is_not_counted(start: Start) -> None:
    taker = start(ANONYMOUS, "del held")
    footprint = Footprint(taker.pid)
    before = footprint.full()
    taker.step()
    taker.step()
    assert grown(before, footprint.full()) == near(0)


@linux
def test_the_high_water_mark_keeps_a_peak_and_starts_anew(start: Start) -> None:
    taker = start(ANONYMOUS, "del held")
    footprint = Footprint(taker.pid)
    base = footprint.reset_high_water()
    taker.step()
    taker.step()
    assert grown(base, footprint.high_water()) == near(SIZE)
    again = footprint.reset_high_water()
    assert grown(again, footprint.high_water()) == near(0)
    assert grown(base, again) == near(0)


@linux
def test_a_large_parent_is_not_counted_for_a_small_child(start: Start) -> None:
    held = b"x" * 300_000_000
    taker = start("pass")
    full, mark = Footprint(taker.pid).full(), Footprint(taker.pid).high_water()
    assert full is not None
    assert mark is not None
    assert max(full, mark) < 60_000_000 < len(held)


def test_a_suspended_process_can_be_measured(start: Start) -> None:
    taker = start(ANONYMOUS)
    footprint = Footprint(taker.pid)
    before = footprint.full()
    taker.step()
    psutil.Process(taker.pid).suspend()
    assert grown(before, footprint.full()) == near(SIZE)
    psutil.Process(taker.pid).resume()


@pytest.mark.parametrize("take", [ANONYMOUS, SUBPROCESS], ids=["itself", "its child"])
def test_resident_bytes_include_children(start: Start, take: str) -> None:
    taker = start(take)
    before = memory.resident(taker.pid)
    taker.step()
    assert SIZE * 0.97 < memory.resident(taker.pid) - before < SIZE + 30_000_000


def test_a_process_that_is_gone_has_no_footprint(start: Start) -> None:
    taker = start("pass")
    taker.process.kill()
    taker.process.communicate()
    footprint = Footprint(taker.pid)
    assert (footprint.full(), footprint.quick(), footprint.high_water()) == (None, None, None)
    assert footprint.reset_high_water() is None
    assert memory.resident(taker.pid) == 0
    taker.close = lambda: None  # type: ignore[method-assign]


def test_available_memory_is_within_the_machine() -> None:
    assert 0 < memory.available() <= psutil.virtual_memory().total
