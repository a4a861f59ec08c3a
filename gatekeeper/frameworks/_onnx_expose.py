"""An ONNX model that gives out what it computes on the way, to see where two runtimes part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Computed:
    """A tensor on the way, and the node that makes it."""

    tensor: str
    node: str
    operator: str


def computed(source: Path) -> list[Computed]:
    """Everything that the model computes in its outermost graph, in the order it does; constants are left out."""
    import onnx

    graph = onnx.load(str(source), load_external_data=False).graph
    return [
        Computed(name, node.name or name, node.op_type)
        for node in graph.node
        if node.op_type != "Constant"
        for name in node.output
        if name
    ]


def expose(source: Path, target: Path, tensors: list[str]) -> None:
    """Write `source` with only these tensors as its outputs."""
    import onnx

    from gatekeeper.frameworks._onnx_prepare import save

    model = onnx.load(str(source))
    del model.graph.output[:]
    # Runtimes find out the types by themselves.
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors)
    save(model, target)
