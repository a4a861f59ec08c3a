"""Options of Olive's techniques, as its passes take them; ONNX Runtime runs the results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.frameworks._onnx_options import (
    PERCENTILE,
    AccuracyLevel,
    Activations,
    Exclude,
    OnnxRuntimeSession,
    Percentile,
    PerChannel,
    Symmetric,
    Weights,
)
from gatekeeper.frameworks._options import Examples, Options, Patterns, ReduceRange, reduced

BlockSize = Literal[16, 32, 64, 128, 256]
METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}


class OliveOptions(Options, frozen=True, kw_only=True):
    """Options of techniques that take no others."""

    session: Annotated[OnnxRuntimeSession, Meta(description="How the artifact is opened.")] = OnnxRuntimeSession()

    def settings(self, vnni: bool) -> dict[str, Any]:
        """The settings of Olive's pass that follow from them."""
        return {}


class Dynamic(OliveOptions, frozen=True, kw_only=True):
    """How OnnxDynamicQuantization quantizes weights to 8 bits."""

    per_channel: PerChannel = False
    weights: Weights = "int8"
    reduce_range: ReduceRange = False
    exclude: Exclude = ()

    def settings(self, vnni: bool) -> dict[str, Any]:
        """As Olive names them."""
        return {
            "per_channel": self.per_channel,
            "precision": self.weights,
            "reduce_range": reduced(self.reduce_range, saturate=not vnni),
        }


class Static(OliveOptions, frozen=True, kw_only=True):
    """How OnnxStaticQuantization quantizes weights and activations to 8 bits."""

    per_channel: PerChannel = True
    calibration: Annotated[
        Literal["minmax", "entropy", "percentile"],
        Meta(description="How an activation's range is taken of the calibration set; the last two leave outliers out."),
    ] = "minmax"
    percentile: Percentile = None
    examples: Examples = None
    weights: Weights = "int8"
    activations: Activations = 8
    symmetric: Symmetric = False
    reduce_range: ReduceRange = "auto"
    exclude: Exclude = ()

    def wrong(self) -> Iterator[tuple[str, str]]:
        """A percentile of what has none."""
        if self.percentile is not None and self.calibration != "percentile":
            yield "percentile", f"it is for `calibration: percentile`, and this is {self.calibration}. Change one of both."

    def settings(self, vnni: bool) -> dict[str, Any]:
        """As Olive names them."""
        percentile = {"CalibPercentile": self.percentile or PERCENTILE} if self.calibration == "percentile" else {}
        return {
            "per_channel": self.per_channel,
            "precision": self.weights,
            "activation_type": "uint16" if self.activations == 16 else "uint8",
            "activation_symmetric": self.symmetric,
            # Without VNNI, pairs of 8-bit products are added in 16 bits and saturate; 7-bit weights cannot.
            "reduce_range": reduced(self.reduce_range, saturate=not vnni),
            "calibrate_method": METHODS[self.calibration],
            "extra_options": percentile,
        }


class KQuant(OliveOptions, frozen=True, kw_only=True):
    """How Olive quantizes matrices in blocks of 4 bits."""

    block_size: Annotated[BlockSize, Meta(description="Weights that share a scale.")] = 32
    accuracy_level: AccuracyLevel = 4
    exclude: Exclude = ()
    eight_bits: Annotated[Patterns, Meta(description="Matrices that get 8 bits instead of 4, named as in `exclude`.")] = ()

    def settings(self, vnni: bool) -> dict[str, Any]:
        """As Olive names them."""
        return {"block_size": self.block_size, "accuracy_level": self.accuracy_level}

    def patterns(self) -> dict[str, Patterns]:
        """Both name nodes."""
        named = {"exclude": self.exclude, "eight_bits": self.eight_bits}
        return {field: patterns for field, patterns in named.items() if patterns}


class BlockWise(OliveOptions, frozen=True, kw_only=True):
    """How OnnxBlockWiseRtnQuantization quantizes matrices and embeddings in blocks of 4 bits."""

    block_size: Annotated[BlockSize, Meta(description="Weights that share a scale.")] = 32
    symmetric: Annotated[bool, Meta(description="Without zero points.")] = True
    accuracy_level: AccuracyLevel = 4
    exclude: Exclude = ()

    def settings(self, vnni: bool) -> dict[str, Any]:
        """As Olive names them."""
        return {"block_size": self.block_size, "is_symmetric": self.symmetric, "accuracy_level": self.accuracy_level}


class Half(OliveOptions, frozen=True, kw_only=True):
    """How OnnxFloatToFloat16 halves a model."""

    exclude: Exclude = ()


OPTIONS: dict[str, type[Options]] = {
    "int8_dynamic": Dynamic,
    "int8_static": Static,
    "int4_weight_only": BlockWise,
    "k_quant": KQuant,
    "transformer_optimized": OliveOptions,
    "fp16": Half,
}
