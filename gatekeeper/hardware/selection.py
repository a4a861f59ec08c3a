"""The platform matrix: which framework suits which hardware, and which targets this machine can stand for."""

from __future__ import annotations

from typing import Protocol, cast

from gatekeeper.hardware.machine import Machine
from gatekeeper.registry import Registry

TARGETS = Registry("hardware.targets")


class Hardware(Protocol):
    """The shape of a module in gatekeeper/hardware/targets."""

    DESCRIPTION: str
    DEVICE: str  # what a session is opened on: auto, cpu, cuda, gpu, metal, npu
    PRIMARY: str  # the framework to try first
    SECOND: str
    SPECIAL: str

    @staticmethod
    def absent(machine: Machine) -> str | None:
        """Why a machine is not this hardware; None if it is."""


def hardware(name: str) -> Hardware:
    """The hardware of that name."""
    return cast(Hardware, TARGETS.get(name))


LARGE_MODEL_PARAMETERS = 7_000_000_000


def recommend(target: str, parameters: int, text: bool) -> tuple[str, str]:
    """Framework to start with, and why: the decision tree Apple, Intel, enterprise, lightweight."""
    module = hardware(target)
    if target == "apple_silicon":
        return "apple_mlx", "Apple hardware: Metal and unified memory"
    if target in ("intel_auto", "intel_cpu", "intel_gpu"):
        return "openvino", "Intel hardware: NNCF post-training int8"
    if parameters > LARGE_MODEL_PARAMETERS:
        return "microsoft_olive", f"more than {LARGE_MODEL_PARAMETERS // 10**9} billion parameters: enterprise tooling"
    if target == "cpu":
        return ("llama_cpp", "text model on any CPU") if text else ("onnx_runtime", "lightweight and cross-platform")
    return module.PRIMARY, f"{module.DESCRIPTION}: {module.SPECIAL}"
