"""Options of OpenVINO's techniques: what NNCF is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.frameworks._options import Examples, Options, Patterns, ReduceRange

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

Exclude = Annotated[
    Patterns,
    Meta(
        description="Nodes that stay as they are: names as in the model, patterns (`*conv*`), outputs of unnamed nodes, or "
        "operator types as ONNX or OpenVINO has them. One that matches nothing is an error.",
        examples=[["Conv_0", "*head*", "MatMul"]],
    ),
]


class Int8Static(Options, frozen=True, kw_only=True):
    """How NNCF quantizes weights and activations to 8 bits."""

    preset: Annotated[
        Literal["auto", "performance", "mixed"],
        Meta(
            description="Activations symmetric (`performance`) or with a zero point (`mixed`); `auto`: mixed for transformers.",
        ),
    ] = "auto"
    examples: Examples = None
    fast_bias_correction: Annotated[
        bool, Meta(description="Correct biases by means of the layer's own inputs; false: layer by layer, slower, more exact.")
    ] = True
    equalize: Annotated[
        bool,
        Meta(
            description="Of ONNX models: first rescale channels between layers so that one range fits all (cross-layer "
            "equalization); answers in floating point stay as they are. An error where no two layers allow it."
        ),
    ] = False
    smooth_quant_alpha: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(description="Of transformers: how much of the activations' outliers moves into weights; default: NNCF's, 0.95."),
    ] = None
    reduce_range: ReduceRange = "auto"
    exclude: Exclude = ()

    def unfit(self, technique: str, model: Assessment) -> str | None:
        """SmoothQuant is done to transformers alone, and rescaled are ONNX graphs."""
        if self.equalize and model.format != "onnx":
            return "equalize rescales ONNX models, and this one is in OpenVINO's own form. Remove it, or start from ONNX"
        if self.smooth_quant_alpha is not None and model.architecture != "transformer":
            return f"smooth_quant_alpha is for transformers, and this is a model of the kind {model.architecture}. Remove it"
        return None


class Int8AccuracyControl(Int8Static, frozen=True, kw_only=True):
    """As options of `int8_static`, and how far answers may be from the original's."""

    max_drop: Annotated[
        float,
        Meta(
            ge=0.0001,
            le=0.5,
            description="Share of the answers on the calibration set (never the evaluation set) that may be others than the "
            "original's.",
        ),
    ] = 0.01


class Int8Weights(Options, frozen=True, kw_only=True):
    """How NNCF compresses weights to 8 bits."""

    mode: Annotated[Literal["asymmetric", "symmetric"], Meta(description="With a zero point, or without.")] = "asymmetric"
    exclude: Exclude = ()


class Int4Weights(Options, frozen=True, kw_only=True):
    """How NNCF compresses weights to 4 bits."""

    mode: Annotated[Literal["symmetric", "asymmetric"], Meta(description="Without a zero point, or with one.")] = "symmetric"
    ratio: Annotated[
        float, Meta(gt=0, le=1, description="Share of the weights that get 4 bits; the most sensitive others keep 8.")
    ] = 1.0
    group_size: Annotated[
        Literal[-1, 16, 32, 64, 128, 256], Meta(description="Weights that share a scale, at most; -1: a whole row.")
    ] = 64
    awq: Annotated[bool, Meta(description="Rescale weights by the activations they meet (on the calibration set).")] = False
    scale_estimation: Annotated[bool, Meta(description="Fit scales to the layers' outputs on the calibration set.")] = False
    all_layers: Annotated[bool, Meta(description="4 bits for embeddings and the last layer, too.")] = False
    examples: Examples = None
    exclude: Exclude = ()

    def unfit(self, technique: str, model: Assessment) -> str | None:
        """Calibration data of models that write text is text, which no layer meets."""
        if model.text and (self.scale_estimation or self.examples):
            return "scale_estimation and examples are for models of tensors, not for those that write text. Remove them"
        return None


OPTIONS: dict[str, type[Options]] = {
    "int8_static": Int8Static,
    "int8_accuracy_control": Int8AccuracyControl,
    "int8_weight_only": Int8Weights,
    "int4_weight_only": Int4Weights,
}
