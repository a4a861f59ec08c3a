"""The estimate: arithmetic, and the real package where it is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import pytest

from gatekeeper.measure.energy import _base, codecarbon
from gatekeeper.measure.energy._base import Absent, Meter
from gatekeeper.measure.energy.codecarbon import Cpu, watts_per_thread

installed = pytest.mark.skipif(find_spec("codecarbon") is None, reason="codecarbon is not installed")

NAMED = "AMD EPYC 7763 64-Core Processor"
UNNAMED = "Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz"


def cpu(model: str, watts: float | None, threads: int, cores: int, sockets: int = 1, virtual: bool = False) -> Cpu:
    return Cpu(model, watts, 4.0, sockets, threads, cores, virtual)


@pytest.mark.parametrize(
    ("given", "watts", "told"),
    [
        (cpu(UNNAMED, 65.0, threads=12, cores=6), 65 / 12, "over 12 threads"),
        (cpu(UNNAMED, 65.0, threads=6, cores=6), 65 / 6, "over 6 threads"),
        (cpu("Intel Xeon 6148", 150.0, threads=80, cores=40, sockets=2), 150 / 40, "over 40 threads"),
        (cpu(NAMED, 280.0, threads=256, cores=128, sockets=2), 280 / 128, "over 128 threads"),
        (cpu(NAMED, 280.0, threads=4, cores=2, virtual=True), 280 / 128, "over 128 threads"),
        (cpu(NAMED, 280.0, threads=4, cores=4, virtual=True), 280 / 64, "over 64 threads"),
        (cpu("Intel Xeon 8370C", 270.0, threads=4, cores=2, virtual=True), 4.0, "hides how many cores"),
        (cpu("AMD EPYC", None, threads=2, cores=2, virtual=True), 4.0, "does not know"),
        (cpu(UNNAMED, 65.0, threads=1, cores=1, sockets=0), 65.0, "over 1 threads"),
    ],
)
def test_the_share_of_a_thread(given: Cpu, watts: float, told: str) -> None:
    found, how = watts_per_thread(given)
    assert found == pytest.approx(watts)
    assert told in how


@installed
def test_the_real_package(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers, and prints and leaves nothing, here or in the folders it could think of."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = codecarbon.find("cpu")
    assert isinstance(found, Meter), found
    assert (found.method, found.kind) == ("codecarbon", "estimate")
    assert 0.1 < found.watts < 150
    assert found.since(found.read(), 1, 2 * 10**9) == pytest.approx(2 * found.watts)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
    assert "codecarbon" not in sys.modules


@installed
def test_the_real_package_opens_no_connection() -> None:
    watch = "import sys\nsys.addaudithook(lambda event, given: event.startswith('socket.') and print(event, given))\n"
    done = subprocess.run([sys.executable, "-c", watch + codecarbon.PROBE], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if line.startswith("socket.") and "__new__" not in line] == []


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecarbon.importlib.util, "find_spec", lambda name: None)
    found = codecarbon.find("cpu")
    assert isinstance(found, Absent)
    assert 'pip install ".[energy]"' in found.reason


def test_a_package_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecarbon.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(codecarbon, "PROBE", "from os import nothing_like_it")
    found = codecarbon.find("cpu")
    assert isinstance(found, Absent)
    assert found.reason.startswith("codecarbon: it fails here (ImportError")


def test_an_answer_with_other_fields_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecarbon.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(codecarbon, "PROBE", "print('{}')")
    found = _base._find(cast(_base.EnergySource, codecarbon), "cpu")
    assert isinstance(found, Absent)
    assert found.reason.startswith("TypeError: ")
