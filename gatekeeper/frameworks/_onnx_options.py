"""Options of ONNX Runtime's techniques, and how its artifacts may be opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.frameworks._options import Examples, Options, Patterns, ReduceRange, Session

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

Bytes = Literal["int8", "uint8"]
Exclude = Annotated[
    Patterns,
    Meta(
        description="Nodes that stay in floating point: names as in the model, patterns (`*conv*`), outputs of nodes without a "
        "name, or operator types. One that matches nothing is an error.",
        examples=[["Conv_0", "*head*", "Gemm"]],
    ),
]
Operators = Annotated[
    Patterns, Meta(description="Operator types that are quantized; default: those that `gatekeeper assess` names.")
]
PERCENTILE = 99.999
PerChannel = Annotated[bool, Meta(description="A scale for each output channel of a weight, or one for all.")]
Weights = Annotated[Bytes, Meta(description="Type of weights; uint8 has a zero point of its own.")]
Activations = Annotated[Literal[8, 16], Meta(description="Bits of activations; 16 are slower on most CPUs.")]
Symmetric = Annotated[bool, Meta(description="Zero points of activations in the middle of their range.")]
Percentile = Annotated[
    Annotated[float, Meta(gt=50, lt=100)] | None,
    Meta(description=f"`calibration: percentile`: the share that is in range, in %; default {PERCENTILE:g}."),
]
AccuracyLevel = Annotated[
    Literal[0, 1, 2, 3, 4],
    Meta(description="Arithmetic of products: 4 in 8 bits (fast on CPUs), 3 bfloat16, 2 half, 1 single precision, 0 any."),
]


class OnnxRuntimeSession(Session, frozen=True, kw_only=True):
    """How ONNX Runtime opens what was made; it is measured and shipped so."""

    arena: Annotated[bool, Meta(description="Keep freed memory for the next run: faster, and the peak stays.")] = True
    prepacking: Annotated[
        bool, Meta(description="Keep a second copy of weights in the layout of the kernels: faster, and more memory.")
    ] = True


class OnnxRuntimeOptions(Options, frozen=True, kw_only=True):
    """Options of techniques that take no others."""

    session: Annotated[OnnxRuntimeSession, Meta(description="How the artifact is opened.")] = OnnxRuntimeSession()

    def unfit(self, technique: str, model: Assessment) -> str | None:
        """The builder of language models knows few of these."""
        if model.text and not isinstance(self, Blocks) and self != type(self)(name=self.name, session=self.session):
            return f"of models that write text, {technique} takes no options but `session`. Remove the others"
        return None


class Int8Static(OnnxRuntimeOptions, frozen=True, kw_only=True):
    """How ONNX Runtime quantizes weights and activations to 8 bits."""

    per_channel: PerChannel = True
    calibration: Annotated[
        Literal["minmax", "entropy", "percentile", "distribution"],
        Meta(description="How an activation's range is taken of the calibration set; the last three leave outliers out."),
    ] = "minmax"
    percentile: Percentile = None
    examples: Examples = None
    weights: Weights = "int8"
    activations: Activations = 8
    symmetric: Symmetric = False
    reduce_range: ReduceRange = "auto"
    equalize: Annotated[
        bool,
        Meta(
            description="First rescale channels between layers so that one range fits all (cross-layer equalization); answers in "
            "floating point stay as they are. An error where no two layers allow it."
        ),
    ] = False
    exclude: Exclude = ()
    operators: Operators = ()

    def wrong(self) -> Iterator[tuple[str, str]]:
        """A percentile of what has none."""
        if self.percentile is not None and self.calibration != "percentile":
            yield "percentile", f"it is for `calibration: percentile`, and this is {self.calibration}. Change one of both."


class Int8Dynamic(OnnxRuntimeOptions, frozen=True, kw_only=True):
    """How ONNX Runtime quantizes weights to 8 bits, and activations while running."""

    per_channel: PerChannel = False
    weights: Weights = "int8"
    reduce_range: ReduceRange = False
    exclude: Exclude = ()
    operators: Operators = ()


class Blocks(OnnxRuntimeOptions, frozen=True, kw_only=True):
    """How ONNX Runtime quantizes matrices in blocks."""

    block_size: Annotated[Literal[16, 32, 64, 128, 256], Meta(description="Weights that share a scale.")] = 32
    accuracy_level: AccuracyLevel = 4
    exclude: Exclude = ()


class WeightOnly(Blocks, frozen=True, kw_only=True):
    """How ONNX Runtime quantizes matrices in blocks, with zero points or without."""

    symmetric: Annotated[bool, Meta(description="Without zero points.")] = True


class Int4WeightOnly(WeightOnly, frozen=True, kw_only=True):
    """How ONNX Runtime quantizes matrices in blocks of 4 bits, with zero points or without."""

    algorithm: Annotated[
        Literal["nearest", "k_quant"],
        Meta(description="Round to the nearest, or search for the scale and offset of each block (language models)."),
    ] = "nearest"

    def wrong(self) -> Iterator[tuple[str, str]]:
        """k-quant has offsets, whatever is asked for."""
        if self.algorithm == "k_quant" and not self.symmetric:
            yield "symmetric", "`algorithm: k_quant` searches for zero points of its own. Remove this."

    def unfit(self, technique: str, model: Assessment) -> str | None:
        """Only onnxruntime-genai's model builder has k-quant."""
        if self.algorithm != "nearest" and not model.text:
            return "`algorithm: k_quant` is for models that write text; for others, microsoft_olive has the technique k_quant"
        return super().unfit(technique, model)


class Fp16(OnnxRuntimeOptions, frozen=True, kw_only=True):
    """How ONNX Runtime's converter halves a model."""

    exclude: Exclude = ()


OPTIONS: dict[str, type[Options]] = {
    "graph_optimized": OnnxRuntimeOptions,
    "fp16": Fp16,
    "int8_dynamic": Int8Dynamic,
    "int8_static": Int8Static,
    "int8_weight_only": WeightOnly,
    "int4_weight_only": Int4WeightOnly,
    "int4_mixed": Blocks,
}
