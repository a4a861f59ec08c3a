"""What is said of this machine agrees with the system."""

from __future__ import annotations

import dataclasses
import os
import platform
from pathlib import Path

import psutil
import pytest

from gatekeeper.hardware import machine as machine_module
from gatekeeper.hardware.machine import ISA_FLAGS, differences, environment, installed, this_machine


def test_the_machine_is_the_one_the_system_describes() -> None:
    machine = this_machine()
    assert machine.system == platform.system()
    assert machine.memory_bytes == psutil.virtual_memory().total
    assert machine.cpu
    assert machine.cores >= 1
    assert 1 <= machine.threads <= (os.cpu_count() or 1)


def test_the_architecture_has_one_spelling() -> None:
    spelling = {"AMD64": "x86_64", "x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
    assert this_machine().arch == spelling.get(platform.machine(), platform.machine().lower())


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="only Linux has /proc/cpuinfo")
def test_instruction_sets_are_those_of_the_kernel() -> None:
    words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split())
    assert this_machine().isa == tuple(flag for flag in ISA_FLAGS if flag in words)


@pytest.mark.skipif(platform.machine() != "x86_64" or platform.system() != "Linux", reason="names of x86 flags on Linux")
def test_an_x86_machine_has_known_flags() -> None:
    assert "sse4_2" in this_machine().isa


@pytest.mark.parametrize(
    ("isa", "vnni"),
    [
        ((), False),
        (("avx", "avx2", "fma"), False),
        (("avx512f", "avx512_bf16", "amx_bf16"), False),
        (("avx2", "avx_vnni"), True),
        (("avx512f", "avx512_vnni"), True),
        (("amx_int8",), True),
        (("asimd",), False),
        (("asimd", "asimddp"), True),
        (("i8mm",), True),
    ],
)
def test_vnni_is_known_from_the_flags(isa: tuple[str, ...], vnni: bool) -> None:
    assert dataclasses.replace(this_machine(), isa=isa).vnni is vnni


def test_the_environment_has_versions_of_what_is_installed() -> None:
    found = environment(3, ("numpy", "click", "no-such-distribution"))
    assert set(found.packages) == {"numpy", "click"}
    assert found.threads == 3
    assert found.python == platform.python_version()
    assert found.cpu == this_machine().cpu
    assert found.isa == list(this_machine().isa)
    assert found.memory_bytes == this_machine().memory_bytes


def test_what_is_not_installed_has_no_version() -> None:
    assert installed("no-such-distribution") is None
    assert installed("msgspec") == pytest.importorskip("msgspec").__version__


def test_the_fingerprint_uses_the_names_people_search_for(monkeypatch: pytest.MonkeyPatch) -> None:
    arm = dataclasses.replace(this_machine(), isa=("asimd", "asimdhp", "asimddp", "i8mm"))
    monkeypatch.setattr(machine_module, "describe", lambda: arm)
    assert environment(1, ()).isa == ["neon", "neon_fp16", "dotprod", "i8mm"]


def test_two_fingerprints_of_one_machine_agree() -> None:
    assert differences(environment(2, ("numpy",)), environment(2, ("numpy",))) == []


def test_what_changed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment(2, ("numpy",))
    monkeypatch.setattr(machine_module, "describe", lambda: dataclasses.replace(this_machine(), governor="powersave"))
    assert differences(before, environment(3, ())) == [
        "threads: 2, 3",
        f"packages: numpy {installed('numpy')}, ",
        f"governor: {before.governor}, powersave",
    ]


def test_numpy_knows_the_flags_where_the_system_has_no_list() -> None:
    seen = machine_module._flags_numpy_sees()
    known = {flag for flag in ("sse4_2", "avx2", "fma", "avx512f", "asimd") if flag in this_machine().isa}
    assert known <= seen
