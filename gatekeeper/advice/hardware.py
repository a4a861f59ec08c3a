"""What this machine has, what each framework would run on of it, what is missing and how to get it. Nothing heavy is imported."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import framework
from gatekeeper.frameworks._missing import missing_packages
from gatekeeper.hardware.machine import installed
from gatekeeper.hardware.probes._base import Missing
from gatekeeper.hardware.probing import Looking, Probed
from gatekeeper.models.files import FORMATS
from gatekeeper.records.base import Record

SCHEMA: Literal["gatekeeper/hardware/v1"] = "gatekeeper/hardware/v1"

_GPU_BUILD = "Install onnxruntime-gpu in place of onnxruntime: pip uninstall onnxruntime && pip install onnxruntime-gpu"
DISTRIBUTIONS = {
    ("onnx_runtime", "cuda"): ("onnxruntime-gpu", _GPU_BUILD),
    ("microsoft_olive", "cuda"): ("onnxruntime-gpu", _GPU_BUILD),
}
"""(framework, device) -> the distribution that has that device, and how to get it."""
LIBRARIES = {
    ("llama_cpp", "cuda"): (
        "llama_cpp",
        "lib/*cuda*",
        'CMAKE_ARGS="-DGGML_CUDA=on" pip install --force-reinstall llama-cpp-python',
    ),
    ("llama_cpp", "metal"): (
        "llama_cpp",
        "lib/*metal*",
        'CMAKE_ARGS="-DGGML_METAL=on" pip install --force-reinstall llama-cpp-python',
    ),
    ("openvino", "gpu"): ("openvino", "libs/*gpu_plugin*", "Install the openvino wheel of x86-64 Linux, Windows or macOS"),
    ("openvino", "npu"): ("openvino", "libs/*npu_plugin*", "Install the openvino wheel of x86-64 Linux or Windows"),
}
"""(framework, device) -> module, the library in its folder that drives that device, and how to get it."""


class Runs(Record, frozen=True, kw_only=True):
    """A framework on a device that is here. It runs there where nothing is missing."""

    framework: str
    device: str
    formats: list[str]
    missing: list[Missing] = []


class Hardware(Record, frozen=True, kw_only=True):
    """Everything that `gatekeeper hardware` says. `undriven` are devices that no framework takes anything to."""

    schema: Literal["gatekeeper/hardware/v1"]
    probes: list[Probed]
    frameworks: list[Runs]
    undriven: list[str]
    targets: dict[str, str | None]
    targets_unknown: str = ""


def survey(looking: Looking) -> Hardware:
    """What the probes that were started find, and what follows from it."""
    probes, targets, unknown = looking.end()
    devices = dict.fromkeys(["cpu", *(found.device for each in probes for found in each.found)])
    runs = [row for name in FRAMEWORKS.names for device in devices if (row := _runs(name, device, probes))]
    driven = {row.device for row in runs}
    return Hardware(
        schema=SCHEMA,
        probes=probes,
        frameworks=runs,
        undriven=[device for device in devices if device not in driven],
        targets=targets,
        targets_unknown=unknown,
    )


def _runs(name: str, device: str, probes: list[Probed]) -> Runs | None:
    formats = [each for each in FORMATS.names if framework(name).supports(each, device) is None]
    if not formats:
        return None
    of_device = [found for each in probes for found in each.found if found.device == device]
    missing = list(of_device[0].missing) if of_device and all(found.missing for found in of_device) else []
    lacks = missing_packages(name, formats[0])
    if lacks:
        what, _, how = lacks.partition(". ")
        missing.append(Missing(what=what, how=how))
    else:
        missing += _without(name, device)
    return Runs(framework=name, device=device, formats=formats, missing=missing)


def _without(name: str, device: str) -> list[Missing]:
    """What an installed framework lacks for a device."""
    if (known := DISTRIBUTIONS.get((name, device))) and installed(known[0]) is None:
        return [Missing(what=f"{known[0]} is not installed", how=known[1])]
    if library := LIBRARIES.get((name, device)):
        module, pattern, how = library
        spec = find_spec(module)
        places = [Path(each) for each in spec.submodule_search_locations or ()] if spec else []
        if not any(next(place.glob(pattern), None) for place in places):
            return [Missing(what=f"the installed {module} was built without {device}", how=how)]
    return []
