"""Which nodes of an OpenVINO model the user's patterns mean: by their names in an ONNX model, or in OpenVINO's own form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._patterns import Node, matched, unmatched

ALIASES = {
    "Conv": ("Convolution", "GroupConvolution"),
    "ConvTranspose": ("ConvolutionBackpropData", "GroupConvolutionBackpropData"),
    "Gemm": ("MatMul",),
}
"""Operators of ONNX that go by other names in OpenVINO."""
_PARTS = "/WithoutBiases"
"""What the reader of ONNX models adds to the name of a node of which it makes two: a product, and the sum with the bias."""
_NONE = ("Constant", "Parameter", "Result")


def excluded(patterns: Sequence[str], model: Any) -> list[str]:
    """Names of the operations that patterns mean; `NotMeasured` where one means none."""
    operations = [op for op in model.get_ordered_ops() if op.get_type_name() not in _NONE]
    nodes = {op.get_friendly_name(): list(_of(op)) for op in operations}
    if lost := unmatched(patterns, [node for each in nodes.values() for node in each]):
        raise NotMeasured("unsupported", " ".join(lost))
    return [name for name, each in nodes.items() if any(matched(pattern, node) for pattern in patterns for node in each)]


def also_as(nodes: Iterable[Node]) -> list[Node]:
    """Nodes of an ONNX model, and the same under the names of operators that OpenVINO has for them."""
    found = list(nodes)
    return found + [Node(node.name, other, node.outputs) for node in found for other in ALIASES.get(node.operator, ())]


def _of(operation: Any) -> Iterable[Node]:
    """An operation, and the same as the node of an ONNX model that it is made of."""
    name, kind = operation.get_friendly_name(), operation.get_type_name()
    outputs = tuple(sorted(each for output in operation.outputs() for each in output.get_names()))
    yield Node(name, kind, outputs)
    base = name.removesuffix(_PARTS)
    for other, names in ALIASES.items():
        if kind in names:
            yield Node(base, other, outputs)
    if base != name:
        yield Node(base, kind, outputs)
