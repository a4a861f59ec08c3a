"""Which operators of an ONNX model the 8-bit quantizers change: one list for `assess`, for what is refused, and for the work.

Left to themselves the quantizers change everything they have code for: look-ups, masks, sums, the arithmetic inside
normalisations, much of which 8 bits cannot hold. docs/frameworks.md has what each list keeps and gains, measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

# Operators with a constant matrix or kernel.
_WEIGHTS = {
    "int8_dynamic": frozenset({"MatMul", "Gemm", "LSTM", "Attention", "Gather"}),
    "int8_static": frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose"}),
}
# A convolution quantized while running (ConvInteger) is slower than in floats, and where matrices follow its errors add up: it
# is for models of convolutions, where it is all there is to make smaller, and the gates say at what price.
_OF_CNNS = {"int8_dynamic": frozenset({"Conv"}), "int8_static": frozenset[str]()}
# Folded into the scales around a kernel: floats between two 8-bit operators would cost more than they keep.
_BETWEEN = {"int8_dynamic": frozenset[str](), "int8_static": frozenset({"Relu", "Clip"})}


def weights_of(technique: str, model: Assessment) -> frozenset[str]:
    """Operators whose weights a technique makes smaller; it has nothing to do for a model without any."""
    return _WEIGHTS[technique] | (_OF_CNNS[technique] if model.architecture == "cnn" else frozenset())


def listed(technique: str, model: Assessment) -> list[str]:
    """Every operator that a technique quantizes, in the alphabet's order; also those that preparing the model brings in."""
    return sorted(weights_of(technique, model) | _BETWEEN[technique])


def quantizes(technique: str, model: Assessment) -> list[str]:
    """Those of them that this model has; none of a text model, where onnxruntime-genai's builder decides."""
    if model.text or technique not in _WEIGHTS:
        return []
    has = {name.rpartition("::")[2] for name in model.operators}
    return [name for name in listed(technique, model) if name in has]
