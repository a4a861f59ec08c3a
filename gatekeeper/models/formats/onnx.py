"""Inspects ONNX files by their structure; weights are counted, never loaded."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path

from gatekeeper.errors import NotMeasured
from gatekeeper.models.formats._base import LICENSE_KEYS, MOST_LICENSE, Malformed, opened
from gatekeeper.models.formats._onnx_weighted import weighted
from gatekeeper.models.info import Assessment, TensorInfo
from gatekeeper.models.protobuf import Message, Reader, Shape

SUFFIXES = (".onnx",)

# Field numbers of onnx.proto3. Tensor data is skipped by seeking over it.
SHAPES = {
    "model": Shape({7: "graph", 8: "opset", 25: "function"}, frozenset({6, 14, 20})),
    "opset": Shape(),
    "graph": Shape({1: "node", 5: "tensor", 11: "value", 12: "value", 15: "sparse"}, frozenset({10, 13, 14})),
    "function": Shape({7: "node"}),
    "node": Shape({5: "attribute"}),
    "attribute": Shape({5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse"}, frozenset({4, 7, 8, 9})),
    "tensor": Shape({13: "entry"}, frozenset({4, 5, 6, 7, 9, 10, 11, 12, 16})),
    "sparse": Shape({1: "tensor", 2: "tensor"}),
    "entry": Shape(),
    "value": Shape({2: "type"}),
    "type": Shape({1: "tensor_type"}),
    "tensor_type": Shape({2: "shape"}),
    "shape": Shape({1: "dimension"}),
    "dimension": Shape(),
}

NOTES = {"model": Shape({14: "entry"}, frozenset({6, 7, 8, 20, 25})), "entry": Shape()}
"""The same of a model of which nothing but its metadata is read."""

DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
    17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4",
    23: "float4e2m1",
}  # fmt: skip

_NO_TENSORS = {4: "sequence", 5: "map", 8: "sparse", 9: "optional"}
"""What a value may be in place of a tensor, by its field in a type."""

QUANTIZED = {
    "QLinearConv", "QLinearMatMul", "MatMulInteger", "ConvInteger", "DynamicQuantizeLinear", "DequantizeLinear",
    "MatMulNBits", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QAttention", "QGemm", "GatherBlockQuantized",
}  # fmt: skip
ATTENTION = {"Attention", "MultiHeadAttention", "GroupQueryAttention", "RotaryEmbedding", "EmbedLayerNormalization"}
MAX_RANK = 64


def inspect(path: Path) -> Assessment:
    """Characteristics of an ONNX model; `NotMeasured` (kind model) if it is not one."""
    with opened(path, "ONNX model", "Export") as (file, size):
        model = Reader(file, SHAPES).read("model", size)
        graphs = model.message(7)
        assessment = _assess(path, size, model, graphs[-1]) if graphs and graphs[-1].message(12) else None
    if assessment is None:
        raise NotMeasured("model", f"{path}: not an ONNX model: it has no graph with outputs. Export it again.")
    return assessment


def licenses(path: Path) -> dict[str, str]:
    """What the model's metadata say of its licence, by key; `NotMeasured` (kind model) if it is none."""
    with opened(path, "ONNX model", "Export") as (file, size):
        entries = Reader(file, NOTES).read("model", size).message(14)
    stated = {entry.string(1): entry.string(2)[:MOST_LICENSE] for entry in entries}
    return {f"metadata_props {key}": said for key, said in stated.items() if key.lower() in LICENSE_KEYS and said.strip()}


def _assess(path: Path, size: int, model: Message, graph: Message) -> Assessment:
    tensors, nodes = _walk(graph)
    functions = model.message(25)
    for function in functions:
        inner_tensors, inner_nodes = inside(function.message(7))
        tensors += inner_tensors
        nodes += inner_nodes
    weights: Counter[str] = Counter()
    shapes: dict[str, list[int]] = {}
    external: set[str] = set()
    for tensor in tensors:
        dims = _dims(tensor)
        weights[DTYPES.get(tensor.integer(2), "unknown")] += prod(dims)
        shapes[tensor.string(8)] = dims
        external |= {entry.string(2) for entry in tensor.message(13) if entry.string(1) == "location"}
    held = [*graph.message(5), *(values for sparse in graph.message(15) for values in sparse.message(1))]
    constants = {tensor.string(8) for tensor in held}
    operators = Counter(_operator(node) for node in nodes)
    own, nested = weighted(graph, functions)
    beside = sorted({_external(path, name) for name in external})
    return Assessment(
        path=str(path),
        format="onnx",
        files=[str(path), *map(str, beside)],
        bytes=size + sum(file.stat().st_size for file in beside),
        architecture=_architecture(operators, nodes),
        parameters=sum(weights.values()),
        weights=dict(weights.most_common()),
        operators=dict(operators.most_common()),
        weighted_operators=dict((own + nested).most_common()),
        nested_operators=dict(nested.most_common()),
        inputs=[_value(v) for v in graph.message(11) if v.string(1) not in constants],
        # Before version 4 constants had to be listed among the inputs, and none of them could be given.
        defaults=[_value(v) for v in graph.message(11) if v.string(1) in constants and model.integer(1) >= 4],
        outputs=[_value(v) for v in graph.message(12)],
        opset={entry.string(1) or "ai.onnx": entry.integer(2) for entry in model.message(8)},
        producer=" ".join(filter(None, (model.string(2), model.string(3)))),
        functions=len(functions),
        quantized=bool(QUANTIZED & {name.rpartition("::")[2] for name in operators}),
        largest_matrix=max((s for s in shapes.values() if len(s) >= 2), key=prod, default=[]),
    )


def _dims(tensor: Message) -> list[int]:
    """Dimensions of a constant; `Malformed` when no tensor can have them."""
    dims = tensor.integers(1)
    if len(dims) > MAX_RANK or any(d < 0 for d in dims) or prod(dims) >= 1 << 63:
        raise Malformed(f"the constant '{tensor.string(8)[:80]}' has impossible dimensions")
    return dims


def _walk(graph: Message) -> tuple[list[Message], list[Message]]:
    """Constant tensors and nodes of a graph and its subgraphs."""
    tensors = list(graph.message(5))
    for sparse in graph.message(15):
        tensors += sparse.message(1)
    inner_tensors, nodes = inside(graph.message(1))
    return tensors + inner_tensors, nodes


def inside(own: list[Message]) -> tuple[list[Message], list[Message]]:
    """Nodes with those of their subgraphs, and the constant tensors in them."""
    tensors: list[Message] = []
    nodes = list(own)
    for node in own:
        for attribute in node.message(5):
            for tensor in attribute.message(5) + attribute.message(10):
                # A Constant node's tensor is known by the node's output name.
                named = Message(tensor)
                named[8] = [node.strings(2)[0].encode()] if node.strings(2) else []
                tensors.append(named)
            for subgraph in attribute.message(6) + attribute.message(11):
                inner_tensors, inner_nodes = _walk(subgraph)
                tensors += inner_tensors
                nodes += inner_nodes
    return tensors, nodes


def _operator(node: Message) -> str:
    domain = node.string(7)
    return node.string(4) if domain in ("", "ai.onnx") else f"{domain}::{node.string(4)}"


def _external(model: Path, name: str) -> Path:
    """The file that holds external weights, as it is reached from the model's folder, in which it must lie."""
    try:
        location = (model.parent / name).resolve()
        known = location.is_file()
    except (OSError, ValueError):
        raise NotMeasured("model", f"{model}: its weights are in a file no system can name. Export the model again.") from None
    if not location.is_relative_to(model.parent.resolve()):
        raise NotMeasured("model", f"{model}: its weights point outside its folder, to '{name}'. Export the model again.")
    if not known:
        raise NotMeasured("model", f"{model}: its weights are in '{name}', which is not there. Put both files together.")
    return model.parent / location.relative_to(model.parent.resolve())


def _value(value: Message) -> TensorInfo:
    shape: list[int | str | None] = []
    dtype = next((name for kind in value.message(2) for field, name in _NO_TENSORS.items() if field in kind), "unknown")
    for tensor_type in (t for kind in value.message(2) for t in kind.message(1)):
        dtype = DTYPES.get(tensor_type.integer(1), "unknown")
        for dims in tensor_type.message(2):
            for dim in dims.message(1):
                shape.append(dim.integer(1) if 1 in dim else dim.string(2) or None)
    scalar = any(2 in tensor for kind in value.message(2) for tensor in kind.message(1)) and not shape
    return TensorInfo(name=value.string(1), dtype=dtype, shape=shape, scalar=scalar)


def _architecture(operators: Counter[str], nodes: list[Message]) -> str:
    names = {name.rpartition("::")[2] for name in operators}
    if names & {"MoE", "QMoE"}:
        return "mixture_of_experts"
    softmaxed = {out for node in nodes if node.string(4) == "Softmax" for out in node.strings(2)}
    attends = any(node.string(4) == "MatMul" and softmaxed & set(node.strings(1)) for node in nodes)
    if names & ATTENTION or attends:
        return "transformer"
    for architecture, marks in (
        ("recurrent", {"LSTM", "GRU", "RNN"}),
        ("cnn", {"Conv", "ConvInteger", "QLinearConv"}),
        ("recurrent", {"Loop", "Scan"}),
        ("tree_ensemble", {"TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble"}),
        ("mlp", {"MatMul", "Gemm", "MatMulInteger", "QLinearMatMul", "MatMulNBits", "QGemm"}),
        ("linear", {"LinearClassifier", "LinearRegressor"}),
    ):
        if names & marks:
            return architecture
    return "other"
