"""What a ranked layer is called where a file leaves it out: by the node that has its weights, and not by what it ends in.

A ranking names a layer by the tensor that it ends in, which may be a Relu's: to leave out that alone keeps the weights in 8 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def named(graph: onnx.GraphProto, layers: Sequence[tuple[str, str, str]]) -> list[str]:
    """A node's own name, which means all nodes that have it; of one without a name, its output."""
    maker = {output: node for node in graph.node for output in node.output if output}
    found = []
    for end, name, operator in layers:
        node = _back(maker, end, operator)
        found.append(name or (end if node is None else node.name or node.output[0]))
    return found


def _back(maker: dict[str, onnx.NodeProto], tensor: str, operator: str) -> onnx.NodeProto | None:
    """The nearest node of that operator on the way back from a tensor, along what is computed."""
    queue, seen = [tensor], {tensor}
    while queue:
        node = maker.get(queue.pop(0))
        if node is None:
            continue
        if node.op_type == operator:
            return node
        queue += [name for name in node.input if name not in seen]
        seen.update(node.input)
    return None
