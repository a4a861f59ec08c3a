"""The decision tree: which framework to start with."""

from __future__ import annotations

from gatekeeper.hardware.selection import hardware

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
