"""What probes find in trees of files like those of machines that are not here, and what is said of probes that misbehave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kit.command import Command
from kit.support import install_plugin

from gatekeeper.hardware.machine import this_machine
from gatekeeper.hardware.probes import apple_silicon, arm_board, cpu, edge_tpu, intel, nvidia, others
from gatekeeper.hardware.probes._base import REGISTRY, probe

ARM = """processor\t: 0
BogoMIPS\t: 48.00
Features\t: fp asimd asimdhp asimddp sve i8mm bf16
CPU implementer\t: 0x41
Model\t: Some Board
"""
X86 = "vendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R)\nflags\t\t: fpu avx2 avx512f avx512_vnni amx_int8 amx_bf16\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def pci(vendor: str, kind: str, at: str = "0000:00:02.0", device: str = "0x1234") -> dict[str, str]:
    folder = f"sys/bus/pci/devices/{at}"
    return {f"{folder}/vendor": f"{vendor}\n", f"{folder}/class": f"{kind}\n", f"{folder}/device": f"{device}\n"}


def driven(root: Path, driver: str, at: str = "0000:00:02.0") -> None:
    (root / f"sys/bus/pci/drivers/{driver}").mkdir(parents=True)
    (root / f"sys/bus/pci/devices/{at}/driver").symlink_to(root / f"sys/bus/pci/drivers/{driver}")


@pytest.mark.parametrize(
    ("text", "vendor", "isa", "says"),
    [
        (ARM, "ARM", "neon neon_fp16 dotprod i8mm bf16 sve", "i8mm: 8-bit matrix products"),
        (X86, "Intel", "avx2 avx512f avx512_vnni amx_int8 amx_bf16", "AMX tiles"),
        ("vendor_id : AuthenticAMD\nmodel name : AMD\nflags : avx2\n", "AMD", "avx2", "may saturate"),
    ],
)
def test_a_processor_is_told_by_vendor_and_instruction_sets(tmp_path: Path, text: str, vendor: str, isa: str, says: str) -> None:
    [found] = cpu.look(tree(tmp_path, {"proc/cpuinfo": text}))
    assert (found.facts["vendor"], found.facts["isa"]) == (vendor, isa)
    assert says in found.facts["8 bits"]
    assert found.device == "cpu"


def test_the_processor_here_is_the_machine_s() -> None:
    [found] = cpu.look(Path("/"))
    assert found.name == this_machine().cpu or not Path("/proc/cpuinfo").exists()


def test_an_nvidia_gpu_without_a_driver(tmp_path: Path) -> None:
    [found] = nvidia.look(tree(tmp_path, pci("0x10de", "0x030200")))
    assert (found.device, found.missing[0].what) == ("cuda", "no NVIDIA driver is loaded")


def test_an_nvidia_gpu_by_its_driver(tmp_path: Path) -> None:
    files = {
        "proc/driver/nvidia/version": "NVRM",
        "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t NVIDIA H200\nIRQ: 1\n",
    }
    [found] = nvidia.look(tree(tmp_path, pci("0x10de", "0x030200") | files))
    assert found.name == "NVIDIA H200"
    assert "nvidia-smi" in found.missing[0].what


def test_an_intel_gpu_says_what_it_lacks(tmp_path: Path) -> None:
    root = tree(tmp_path, pci("0x8086", "0x030000"))
    [found] = intel.look(root)
    assert (found.device, found.kind) == ("gpu", "gpu")
    assert [lack.what for lack in found.missing] == [
        "no kernel driver (i915 or xe) has taken it", "Intel's compute runtime is not installed"
    ]  # fmt: skip
    driven(root, "xe")
    tree(root, {"usr/lib/x86_64-linux-gnu/libze_intel_gpu.so.1": "", "dev/dri/renderD128": ""})
    (root / "sys/bus/pci/devices/0000:00:02.0/drm/renderD128").mkdir(parents=True)
    [found] = intel.look(root)
    assert (found.missing, found.facts["driver"]) == ([], "xe")


def test_an_intel_node_that_may_not_be_opened(tmp_path: Path) -> None:
    root = tree(tmp_path, pci("0x8086", "0x120000"))
    driven(root, "intel_vpu")
    (root / "sys/bus/pci/devices/0000:00:02.0/accel/accel0").mkdir(parents=True)  # and no node under /dev for this user
    [found] = intel.look(root)
    assert (found.kind, found.device) == ("npu", "npu")
    assert any("may not open" in lack.what and "render" in lack.how for lack in found.missing)


def test_an_edge_tpu_on_usb_or_pci_is_found_and_driven_by_nothing(tmp_path: Path) -> None:
    usb = {"sys/bus/usb/devices/1-1/idVendor": "18d1\n", "sys/bus/usb/devices/1-1/idProduct": "9302\n"}
    found = edge_tpu.look(tree(tmp_path, usb | pci("0x1ac1", "0x0880")))
    assert [each.name for each in found] == ["Edge TPU at 0000:00:02.0", "Edge TPU at 1-1"]
    assert all("fallback: cpu" in " ".join(lack.how for lack in each.missing) for each in found)


def test_a_board_is_named_and_told_that_32_bits_are_too_few() -> None:
    [found] = arm_board.described("Raspberry Pi 5", "raspberrypi,5-model-b\0brcm,bcm2712", "aarch64")
    assert (found.name, found.facts["chip"], found.missing) == ("Raspberry Pi 5", "brcm,bcm2712", [])
    assert "32-bit" in arm_board.described("Raspberry Pi 3", "", "armv7l")[0].missing[0].what
    assert arm_board.described("QEMU", "", "x86_64") == []


def test_a_mac_whose_system_is_too_old_says_so() -> None:
    [found] = apple_silicon.described("Apple M4", "15.1", str(16 << 30))
    assert (found.device, found.facts["unified memory"], found.missing) == ("metal", "16 GiB", [])
    assert "older" in apple_silicon.described("Apple M1", "12.6", "")[0].missing[0].what


@pytest.mark.parametrize(
    ("vendor", "kind", "named"),
    [("0x1002", "0x030000", "AMD"), ("0x1e52", "0x120000", "Tenstorrent"), ("0xabcd", "0x120000", "unknown")],
)
def test_what_no_probe_knows_is_named_and_not_driven(tmp_path: Path, vendor: str, kind: str, named: str) -> None:
    [found] = others.look(tree(tmp_path, pci(vendor, kind)))
    assert found.name.startswith(named) and found.device == "other"
    assert "no framework" in found.missing[0].what


@pytest.mark.parametrize(
    ("vendor", "kind"), [("0x8086", "0x030000"), ("0x10de", "0x030200"), ("0x1234", "0x030000"), ("0x1002", "0x020000")]
)
def test_what_another_probe_knows_or_is_no_accelerator_is_not_named_twice(tmp_path: Path, vendor: str, kind: str) -> None:
    assert others.look(tree(tmp_path, pci(vendor, kind))) == []


@pytest.mark.parametrize("name", REGISTRY.builtin)
def test_every_probe_fills_the_form_and_finds_nothing_where_nothing_is(name: str, tmp_path: Path) -> None:
    module = probe(name)
    assert module.DESCRIPTION.endswith(".") and isinstance(module.ORDER, int)
    assert module.look(tmp_path) == [] or name in ("cpu", "apple_silicon")


BAD = {
    "hangs": "import time\nDESCRIPTION, ORDER = 'h', 1\ndef look(root): time.sleep(600)\n",
    "breaks": "DESCRIPTION, ORDER = 'b', 1\ndef look(root): raise OSError('the bus is gone')\n",
    "dies": "import os\nDESCRIPTION, ORDER = 'd', 1\ndef look(root): os._exit(7)\n",
    "lies": "DESCRIPTION, ORDER = 'l', 1\ndef look(root): return ['a quantum computer']\n",
    "chatters": "DESCRIPTION, ORDER = 'c', 1\ndef look(root): print('}{' * 99); return []\n",
}


def installed(folder: Path, *names: str) -> dict[str, str]:
    groups = "[gatekeeper.hardware.probes]\n" + "".join(f"{name} = bad_{name}\n" for name in names)
    return install_plugin(folder / "site", {f"bad_{name}": BAD[name] for name in names if name in BAD}, groups)


def test_a_probe_that_hangs_is_named_and_the_rest_is_reported(tmp_path: Path, gatekeeper: Command) -> None:
    found = json.loads(gatekeeper("hardware", "--json", "--time-limit", "1.5", env=installed(tmp_path, "hangs")).stdout)
    probes = {each["probe"]: each for each in found["probes"]}
    assert set(probes) == {*REGISTRY.builtin, "hangs"}
    assert (probes["hangs"]["state"], probes["hangs"]["reason"]) == ("hung", "it gave no answer within 1.5 s")
    assert [row["framework"] for row in found["frameworks"]]


def test_probes_that_break_are_named_and_the_rest_is_reported(tmp_path: Path, gatekeeper: Command) -> None:
    plugin = installed(tmp_path, "breaks", "dies", "lies", "chatters", "unwritten")
    found = json.loads(gatekeeper("hardware", "--json", "--time-limit", "300", env=plugin).stdout)
    probes = {each["probe"]: each for each in found["probes"]}
    assert {name: probes[name]["state"] for name in ("breaks", "dies", "lies", "chatters", "unwritten", "cpu")} == {
        "breaks": "failed", "dies": "failed", "lies": "failed", "chatters": "nothing", "unwritten": "failed", "cpu": "found",
    }  # fmt: skip
    assert "the bus is gone" in probes["breaks"]["reason"]
    assert "exit code 7" in probes["dies"]["reason"]
    assert "cannot be imported" in probes["unwritten"]["reason"]
    assert found["targets"]["cpu"] is None


def test_the_text_says_what_runs_and_what_is_missing(gatekeeper: Command) -> None:
    shown = gatekeeper("hardware", "--time-limit", "300").stdout
    assert "onnx_runtime on cpu: ready, for huggingface, onnx" in shown
    assert "looked for and not found: " in shown
    assert "  here: cpu" in shown and "not apple_silicon: this machine is" in shown


def test_a_time_limit_that_is_none_is_refused(gatekeeper: Command) -> None:
    for wrong in ("0", "nan", "-1", "soon"):
        assert gatekeeper("hardware", "--time-limit", wrong).returncode == 2
