"""Its answers are worse than the original's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gatekeeper.causes.diagnoses._base import ANY, Row
from gatekeeper.causes.seen import Seen, count, words
from gatekeeper.records.explained import Fact

DESCRIPTION = "Its answers are worse than the original's by more than a gate allows."
GATES = ("accuracy", "agreement", "least_accuracy", "worst_class", "outputs", "robustness", "calibration_error")

MOST = 0.5
NAMED = 3
FEW = 300
"""Calibration examples: NNCF's own default; fewer give ranges that the next ones leave."""


def layers(seen: Seen) -> Sequence[Fact]:
    """A few layers that alone move the answers as far as half of what all of them do."""
    ranking = seen.ranking
    if ranking is None or not ranking.layers or not ranking.together:
        return ()
    first = ranking.layers[0]
    if first.divergence < MOST * ranking.together:
        return ()
    named = [each for each in ranking.layers[:NAMED] if each.divergence >= first.divergence / 10]
    return [
        Fact(
            what=f"{each.operator} {each.output}",
            value=each.divergence,
            unit="nats",
            said=f"{each.operator} {each.output} alone: {each.divergence:.3g} nats of {ranking.together:.3g}",
        )
        for each in named
    ]


def spread(seen: Seen) -> Sequence[Fact]:
    """No layer alone moves the answers much, all together do."""
    ranking = seen.ranking
    if ranking is None or not ranking.layers or not ranking.together or layers(seen):
        return ()
    said = f"all layers together: {ranking.together:.3g} nats, the worst alone {ranking.layers[0].divergence:.3g}"
    return (Fact(what="all layers", value=ranking.together, unit="nats", said=said),)


def calibrated(seen: Seen) -> Sequence[Fact]:
    """How many examples scales were taken from, where those are few."""
    if seen.calibration is None or seen.calibration >= FEW or "static" not in seen.variant.technique:
        return ()
    return (count("calibration examples", seen.calibration),)


def technique(*parts: str) -> Callable[[Seen], Sequence[Fact]]:
    """Which technique it is, where its name has one of these parts; of none, whichever it is."""

    def sees(seen: Seen) -> Sequence[Fact]:
        name = seen.variant.technique
        return (words("technique", name),) if not parts or any(part in name for part in parts) else ()

    return sees


ROWS = (
    Row(
        "onnx_runtime",
        "a few layers lose what the answers hang on: their ranges differ from channel to channel, and one scale does not fit",
        "equalize the ranges across layers, or leave these layers in floats",
        layers,
    ),
    Row(
        "onnx_runtime",
        "no layer alone is at fault: rounding adds up",
        "more bits: 16-bit activations, or another technique",
        spread,
    ),
    Row(
        "onnx_runtime",
        "scales were taken from few examples",
        "more calibration examples, or another way to choose ranges from them (percentile, entropy)",
        calibrated,
    ),
    Row("onnx_runtime", "it has fewer bits than the original", "a technique of more bits, or layers in floats", technique()),
    Row(
        "microsoft_olive",
        "the weights were not trained for so few bits",
        "retrain with quantization-aware training (QAT); before that, leave sensitive layers in floats",
        technique(),
    ),
    Row(
        "llama_cpp",
        "the weights have too few bits",
        "a higher quantization: more bits a weight, or an importance matrix",
        technique(),
    ),
    Row(
        "openvino",
        "ranges of activations were taken from the calibration examples, and other inputs leave them",
        "more calibration, or int8_accuracy_control, which leaves the layers in floats that cost most",
        technique("static", "accuracy_control"),
    ),
    Row("openvino", "the weights have too few bits", "more bits a weight", technique("weight", "fp16")),
    Row("apple_mlx", "the weights were not trained for so few bits", "fine-tune after quantization, or mixed bits", technique()),
    Row(ANY, "it has fewer bits than the original", "a technique of more bits", technique()),
)
