"""The decision tree as a table: the first branch that fits says which framework to start with."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.hardware.selection import hardware

LARGE_MODEL_PARAMETERS = 7_000_000_000

INTEL = ("intel_auto", "intel_cpu", "intel_gpu")
CROSS_PLATFORM = ("cpu", "other")
"""Targets that are no platform of their own: whatever runs anywhere."""


@dataclass(frozen=True)
class Case:
    """What is decided about: the hardware of a target, and what is known of the model and of what it is for."""

    hardware: str
    parameters: int = 0
    text: bool = False
    multimodal: bool = False
    enterprise: bool = False


@dataclass(frozen=True)
class Branch:
    """One row. Every condition that it states must hold; `frameworks` are those to compare, the first to start with.

    Where it names none, the platform matrix does: the primary framework of that hardware.
    """

    name: str
    because: str
    frameworks: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    more_than: int = 0
    text: bool = False
    multimodal: bool = False
    enterprise: bool = False

    def fits(self, case: Case) -> bool:
        """Whether every condition holds."""
        flags = ((self.text, case.text), (self.multimodal, case.multimodal), (self.enterprise, case.enterprise))
        return (
            (not self.targets or case.hardware in self.targets)
            and (not self.more_than or case.parameters > self.more_than)
            and all(holds for asked, holds in flags if asked)
        )


TREE = (
    Branch("apple", "Apple hardware: Metal and unified memory", ("apple_mlx",), targets=("apple_silicon",)),
    Branch("intel", "Intel hardware: NNCF post-training int8", ("openvino",), targets=INTEL),
    Branch(
        "large",
        f"more than {LARGE_MODEL_PARAMETERS // 10**9} billion parameters: enterprise tooling",
        ("microsoft_olive",),
        more_than=LARGE_MODEL_PARAMETERS,
    ),
    Branch("enterprise", "for enterprise production", ("microsoft_olive",), enterprise=True),
    Branch(
        "multimodal",
        "several kinds of input on any CPU: OpenVINO and Olive, compared",
        ("openvino", "microsoft_olive"),
        targets=CROSS_PLATFORM,
        multimodal=True,
    ),
    Branch("text", "text model on any CPU", ("llama_cpp",), targets=CROSS_PLATFORM, text=True),
    Branch("lightweight", "lightweight and cross-platform", ("onnx_runtime",), targets=CROSS_PLATFORM),
    Branch("platform", "the platform's own"),
)


def decide(case: Case) -> tuple[tuple[str, ...], str]:
    """The frameworks to start with, and why."""
    branch = next(each for each in TREE if each.fits(case))
    if branch.frameworks:
        return branch.frameworks, branch.because
    module = hardware(case.hardware)
    return (module.PRIMARY,), f"{module.DESCRIPTION}: {module.SPECIAL}"
