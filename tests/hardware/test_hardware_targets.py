"""The platform matrix of the mission, and which machine can stand for which target."""

from __future__ import annotations

import dataclasses

import pytest

from gatekeeper.errors import UsageError
from gatekeeper.hardware.machine import Machine
from gatekeeper.hardware.selection import DEVICES, TARGETS, hardware
from gatekeeper.records.base import FRAMEWORKS

X86 = Machine(
    system="Linux", arch="x86_64", cpu="Some CPU", isa=("avx2",), cores=4, threads=8, memory_bytes=2**34, gpu_vendors=(),
    nvidia=False, npu=False,
)  # fmt: skip
MACHINES = {
    "x86": X86,
    "x86 with nvidia": dataclasses.replace(X86, nvidia=True, gpu_vendors=("0x10de",)),
    "x86 with intel gpu": dataclasses.replace(X86, gpu_vendors=("0x10de", "0x8086")),
    "x86 with npu": dataclasses.replace(X86, npu=True),
    "arm64 linux": dataclasses.replace(X86, arch="arm64"),
    "arm32 board": dataclasses.replace(X86, arch="armv7l"),
    "apple": dataclasses.replace(X86, system="Darwin", arch="arm64"),
    "old mac": dataclasses.replace(X86, system="Darwin"),
    "riscv": dataclasses.replace(X86, arch="riscv64"),
}
STANDS_FOR = {
    "x86": {"cpu", "intel_auto", "intel_cpu"},
    "x86 with nvidia": {"cpu", "intel_auto", "intel_cpu", "nvidia_gpu"},
    "x86 with intel gpu": {"cpu", "intel_auto", "intel_cpu", "intel_gpu"},
    "x86 with npu": {"cpu", "intel_auto", "intel_cpu", "edge_tpu"},
    "arm64 linux": {"cpu", "arm_mobile", "embedded_arm"},
    "arm32 board": {"cpu", "embedded_arm"},
    "apple": {"cpu", "arm_mobile", "embedded_arm", "apple_silicon"},
    "old mac": {"cpu", "intel_auto", "intel_cpu"},
    "riscv": {"cpu"},
}


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_stands_for_what_it_is(name: str) -> None:
    assert {t for t in TARGETS.names if hardware(t).absent(MACHINES[name]) is None} == STANDS_FOR[name]


@pytest.mark.parametrize("target", TARGETS.names)
def test_an_absent_target_says_why(target: str) -> None:
    reasons = [r for m in MACHINES.values() if (r := hardware(target).absent(m)) is not None]
    assert all(r.startswith("this machine") for r in reasons)


@pytest.mark.parametrize("target", TARGETS.names)
def test_every_target_fills_the_form(target: str) -> None:
    module = hardware(target)
    assert module.DESCRIPTION
    assert module.SPECIAL
    assert module.DEVICE in {*DEVICES, "other"}
    assert {module.PRIMARY, module.SECOND} <= set(FRAMEWORKS)
    assert module.PRIMARY != module.SECOND


@pytest.mark.parametrize(
    ("target", "primary", "second", "special"),
    [
        ("intel_cpu", "openvino", "microsoft_olive", "NNCF compression"),
        ("intel_gpu", "openvino", "microsoft_olive", "NNCF compression"),
        ("nvidia_gpu", "microsoft_olive", "openvino", "CUDA, enterprise features"),
        ("apple_silicon", "apple_mlx", "llama_cpp", "Metal, unified memory"),
        ("arm_mobile", "llama_cpp", "openvino", "few dependencies"),
        ("edge_tpu", "openvino", "microsoft_olive", "accelerator support"),
        ("embedded_arm", "llama_cpp", "openvino", "small footprint"),
    ],
)
def test_the_platform_matrix_is_the_mission_s(target: str, primary: str, second: str, special: str) -> None:
    module = hardware(target)
    assert (primary, second, special) == (module.PRIMARY, module.SECOND, module.SPECIAL)


def test_an_unknown_target_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'intel_cpu'"):
        hardware("intel-cpu")


def test_no_machine_stands_for_what_nobody_knows() -> None:
    assert all(hardware("other").absent(machine) for machine in MACHINES.values())
