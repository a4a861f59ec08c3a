"""An ONNX model with its weights moved by about what rounding moves; how far its answers move tells what rounding explains.

Matrices, kernels and tables are moved, each number by itself; not what counts or divides, where the last bit may mean another
shape. Numbers that are about to become whole ones are moved too: what lies on the edge may fall to either side in another
runtime, however exact everything before it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

_FLOATS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}
_WHOLE = {2, 3, 4, 5, 6, 7, 9, 12, 13}  # integers and truth values, as ONNX numbers them
_STEPS = ("Floor", "Ceil", "Round", "Cast", "Sign", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
_EDGE = 2.0**-22
"""Of a number on its way to a whole one: a few of the last places of float32."""


def nudge(source: Path, target: Path, seed: int, size: float) -> None:
    """Write `source` with its weights moved by at most the fraction `size`, in a way that `seed` decides."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    from gatekeeper.frameworks._onnx_prepare import inlined, save

    generator = np.random.default_rng(seed)
    model = onnx.load(str(inlined(source, target.parent)))
    scales = _scales(model.graph)
    for tensor in model.graph.initializer:
        if tensor.data_type not in _FLOATS or (len(tensor.dims) < 2 and tensor.name not in scales):
            continue
        values = numpy_helper.to_array(tensor)
        moved = values.astype(np.float64) * (1 + size * generator.uniform(-1, 1, values.shape))
        tensor.CopyFrom(numpy_helper.from_array(moved.astype(values.dtype), tensor.name))
    _nudge_edges(model, 1 + (_EDGE if seed % 2 else -_EDGE))
    save(model, target)


def _scales(graph: onnx.GraphProto) -> set[str]:
    """Numbers that quantized values are multiplied by."""
    return {name for node in graph.node if "Quantize" in node.op_type or "QLinear" in node.op_type for name in node.input[1:]}


def _nudge_edges(model: onnx.ModelProto, factor: float) -> None:
    """Multiply what is about to become a whole number by `factor`, where it is known to be of float32."""
    import numpy as np
    from onnx import helper, numpy_helper

    known = _types(model)
    nodes: list[Any] = []
    for i, node in enumerate(model.graph.node):
        steps = node.op_type in _STEPS and node.domain in ("", "ai.onnx")
        if steps and known.get(node.input[0]) == 1 and (node.op_type != "Cast" or _to(node) in _WHOLE):
            moved = f"{node.input[0]}_nudged_{i}"
            nodes.append(helper.make_node("Mul", [node.input[0], "nudged_by"], [moved]))
            node.input[0] = moved
        nodes.append(node)
    if len(nodes) == len(model.graph.node):
        return
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.float32(factor), "nudged_by"))
    model.ir_version = max(model.ir_version, 4)  # before, a constant had to be listed among the inputs too


def _to(node: onnx.NodeProto) -> int:
    return next((a.i for a in node.attribute if a.name == "to"), 0)


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of each tensor, where it is known."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # it says what is known, and no more
        graph = model.graph
    values = [*graph.value_info, *graph.input, *graph.output]
    return {value.name: value.type.tensor_type.elem_type for value in values}
