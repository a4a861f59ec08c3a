"""RAPL, on trees made as Linux shows them; no machine of the project has the real one."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekeeper.measure.energy._base import Absent, Meter
from gatekeeper.measure.energy.rapl import find

RANGE_UJ = 262_143_328_850  # of a real Xeon
ALL_NS = 10**15


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that other users can enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="powercap-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def domain(root: Path, number: str, name: str, uj: int | str, range_uj: int | str | None = RANGE_UJ) -> Path:
    folder = root / f"intel-rapl:{number}"
    folder.mkdir()
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{uj}\n")
    if range_uj is not None:
        (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
    return folder


def laptop(root: Path) -> dict[str, Path]:
    """As on an i7: a package with its parts, and the platform, which contains all of them."""
    (root / "intel-rapl").mkdir()
    shutil.copytree(domain(root, "9", "package-0", 7), root / "intel-rapl-mmio:0")
    shutil.rmtree(root / "intel-rapl:9")
    return {
        "package": domain(root, "0", "package-0", 5_000_000),
        "core": domain(root, "0:0", "core", 3_000_000),
        "uncore": domain(root, "0:1", "uncore", 1_000_000),
        "dram": domain(root, "0:2", "dram", 2_000_000),
        "psys": domain(root, "1", "psys", 9_000_000),
    }


def spend(folder: Path, joules: float) -> None:
    file = folder / "energy_uj"
    file.write_text(f"{int(file.read_text()) + int(joules * 1e6)}\n")


def opened(root: Path, device: str = "cpu") -> Meter:
    found = find(device, root=root)
    assert isinstance(found, Meter), found
    return found


def refused(root: Path) -> str:
    found = find("cpu", root=root)
    assert isinstance(found, Absent), found
    return found.reason


@contextlib.contextmanager
def not_root() -> Iterator[None]:
    """Everybody may read what belongs to everybody; root may read anything."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if mine == 0:
            os.seteuid(0)


def test_package_and_dram_count_once(root: Path) -> None:
    tree = laptop(root)
    found = opened(root)
    before = found.read()
    for folder, joules in zip(tree.values(), (10, 7, 2, 1.5, 20), strict=True):
        spend(folder, joules)
    assert found.since(before, ALL_NS, 10**9) == pytest.approx(11.5)
    assert (found.method, found.kind) == ("rapl", "measured")
    assert found.covers == "CPU package and DRAM, idle and everything running on it"


def test_an_integrated_gpu_is_in_its_package(root: Path) -> None:
    laptop(root)
    assert opened(root, "gpu").covers.endswith("of GPUs only one inside the package")


def test_all_packages_count(root: Path) -> None:
    packages = [domain(root, str(i), f"package-{i}", 1000 * (i + 1)) for i in range(2)]
    memory = [domain(root, f"{i}:0", "dram", 500) for i in range(2)]
    found = opened(root)
    before = found.read()
    for i, folder in enumerate([*packages, *memory]):
        spend(folder, 2**i)
    assert found.since(before, ALL_NS, 0) == pytest.approx(15)


def test_packages_that_stand_alike_are_still_two(root: Path) -> None:
    """Only dies of one package can mirror each other."""
    packages = [domain(root, str(i), f"package-{i}", 1000) for i in range(2)]
    found = opened(root)
    before = found.read()
    for folder in packages:
        spend(folder, 3)
    assert found.since(before, ALL_NS, 0) == pytest.approx(6)


@pytest.mark.parametrize(("second", "joules"), [(70_000_100, 5), (90_000_000, 10)], ids=["mirror", "own counter"])
def test_dies_that_mirror_one_counter_count_once(root: Path, second: int, joules: float) -> None:
    dies = [domain(root, str(i), f"package-0-die-{i}", uj) for i, uj in enumerate((70_000_000, second))]
    found = opened(root)
    before = found.read()
    for folder in dies:
        spend(folder, 5)
    assert found.since(before, ALL_NS, 0) == pytest.approx(joules)


def test_wrap_around(root: Path) -> None:
    package = domain(root, "0", "package-0", RANGE_UJ - 1_000_000)
    found = opened(root)
    before = found.read()
    (package / "energy_uj").write_text("500000\n")
    assert found.since(before, ALL_NS, 0) == pytest.approx(1.5)
    assert found.problems == []


@pytest.mark.parametrize("range_uj", [None, "many", ""], ids=["missing", "garbage", "empty"])
def test_without_a_range_the_block_of_the_wrap_is_lost_and_no_other(root: Path, range_uj: str | None) -> None:
    package = domain(root, "0", "package-0", RANGE_UJ - 1_000_000, range_uj)
    found = opened(root)
    before = found.read()
    (package / "energy_uj").write_text("500000\n")
    assert math.isnan(found.since(before, ALL_NS, 0))
    assert "started again" in found.note
    before = found.read()
    spend(package, 2)
    assert found.since(before, ALL_NS, 0) == pytest.approx(2)


def test_without_dram(root: Path) -> None:
    package = domain(root, "0", "package-0", 1)
    domain(root, "0:0", "core", 1)
    found = opened(root)
    before = found.read()
    spend(package, 4)
    assert found.since(before, ALL_NS, 0) == pytest.approx(4)
    assert found.covers.startswith("CPU package without DRAM")


@pytest.mark.parametrize("dram", ["unknown", "-3", ""])
def test_dram_that_makes_no_sense_is_left_out(root: Path, dram: str) -> None:
    domain(root, "0", "package-0", 1)
    domain(root, "0:0", "dram", dram)
    assert opened(root).covers.startswith("CPU package without DRAM")


def test_dram_of_one_package_of_two_is_left_out(root: Path) -> None:
    for i in range(2):
        domain(root, str(i), f"package-{i}", 10**6 * i + 1)
    domain(root, "1:0", "dram", 5)
    assert opened(root).covers.startswith("CPU package without DRAM")


@pytest.mark.parametrize("text", ["", "garbage", "-5", "1e9", "12 13", "\N{SNOWMAN}"])
def test_a_package_that_makes_no_sense(root: Path, text: str) -> None:
    (domain(root, "0", "package-0", 1) / "energy_uj").write_text(text, encoding="utf-8")
    assert "instead of a number" in refused(root)


def test_a_package_without_its_file(root: Path) -> None:
    (domain(root, "0", "package-0", 1) / "energy_uj").unlink()
    assert "energy_uj" in refused(root)


def test_a_name_that_makes_no_sense(root: Path) -> None:
    (domain(root, "0", "package-0", 1) / "name").write_bytes(b"\xff\xfe\0")
    assert "no counters" in refused(root)


def test_a_folder_without_anything_in_it_as_in_a_container(root: Path) -> None:
    (root / "intel-rapl:0").mkdir()
    assert "no counters of a CPU package" in refused(root)


@pytest.mark.parametrize("folder", ["", "not-there"])
def test_no_counters(root: Path, folder: str) -> None:
    assert "measure on the hardware itself" in refused(root / folder)


def test_counters_that_never_counted(root: Path) -> None:
    domain(root, "0", "package-0", 0)
    assert "stands at 0" in refused(root)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_counters_for_root_only_come_with_the_command_that_opens_them(root: Path) -> None:
    for folder in laptop(root).values():
        (folder / "energy_uj").chmod(0o400)
        if os.geteuid() != 0:
            (folder / "energy_uj").chmod(0o000)
    with not_root():
        reason = refused(root)
    assert "root only (CVE-2020-8694)" in reason
    assert f"sudo chmod a+r {root}/intel-rapl:*/energy_uj" in reason
    for file in root.glob("intel-rapl:*/energy_uj"):
        file.chmod(0o444)
    with not_root():
        opened(root)


def test_counters_that_go_in_the_middle(root: Path) -> None:
    package = domain(root, "0", "package-0", 1)
    found = opened(root)
    before = found.read()
    shutil.rmtree(package)
    assert math.isnan(found.since(before, ALL_NS, 0))
    assert "FileNotFoundError" in found.note
