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


def weights_of(technique: str) -> frozenset[str]:
    """Operators whose weights a technique makes smaller; it has nothing to do for a model without any."""
    return _WEIGHTS[technique]


def changed_by(technique: str, model: Assessment) -> list[str]:
    """Every operator of this model that a technique changes, in the alphabet's order."""
    return sorted(_WEIGHTS[technique])
