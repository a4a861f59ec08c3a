"""Which operators of an ONNX model the 8-bit quantizers change: one list for `assess`, for what is refused, and for the work.

Left to themselves the quantizers change everything they have code for: look-ups, masks, sums, the arithmetic inside
normalisations, much of which 8 bits cannot hold. docs/frameworks.md has what each list keeps and gains, measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

# Operators with a constant matrix or kernel. A convolution quantized while running (ConvInteger) is slower than in floats.
_WEIGHTS = {
    "int8_dynamic": frozenset({"MatMul", "Gemm", "LSTM", "Attention", "Gather"}),
    "int8_static": frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose"}),
}


# Folded into the scales around a kernel: floats between two 8-bit operators would cost more than they keep.
_BETWEEN = {"int8_dynamic": frozenset[str](), "int8_static": frozenset({"Relu", "Clip"})}


def weights_of(technique: str) -> frozenset[str]:
    """Operators whose weights a technique makes smaller; it has nothing to do for a model without any."""
    return _WEIGHTS[technique]


def listed(technique: str) -> list[str]:
    """Every operator that a technique quantizes, in the alphabet's order; also those that preparing a model brings in."""
    return sorted(_WEIGHTS[technique] | _BETWEEN[technique])


def quantizes(technique: str, model: Assessment) -> list[str]:
    """Those of them that this model has; none of a text model, where onnxruntime-genai's builder decides."""
    if model.text or technique not in _WEIGHTS:
        return []
    has = {name.rpartition("::")[2] for name in model.operators}
    return [name for name in listed(technique) if name in has]
