"""Which nodes of an ONNX model the user's patterns mean, also after the model was made ready for a quantizer.

Users name nodes as their own model has them. Preparing it folds, fuses and renames; what stays are the tensors: a node that was
fused into others is found again where the values that came of it next appear.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._patterns import Node, matched, unmatched

if TYPE_CHECKING:
    import onnx


def excluded(
    patterns: Sequence[str], source: Path, made: onnx.ModelProto, able: Collection[str], key: str = "exclude"
) -> list[str]:
    """Names of the nodes of `made`, prepared from `source`, that patterns mean; each gets a name that no other has.

    `able` are the operators that the technique would change: a pattern that meets none of them is a `NotMeasured`.
    """
    import onnx

    unique_names(made.graph)
    if not patterns:
        return []
    original = onnx.load(str(source), load_external_data=False)
    nodes = listed(original.graph.node) + listed(made.graph.node)
    if lost := unmatched(patterns, nodes, key):
        raise NotMeasured("unsupported", " ".join(lost))
    found: set[str] = set()
    for pattern in patterns:
        own = {node.name for node in made.graph.node if matched(pattern, as_node(node))}
        own |= _descended(original.graph, made.graph, pattern)
        kinds = {node.name: node.op_type for node in made.graph.node}
        meant = {name for name in own if kinds[name] in able}
        if not meant:
            has = sorted({kinds[name] for name in own})
            what = f"means {', '.join(has)}" if has else "means nodes that are folded away"
            raise NotMeasured(
                "unsupported", f"{key} '{pattern}' {what}, which are not changed: {', '.join(sorted(able))} are. Remove it."
            )
        found |= meant
    return sorted(found)


def _descended(before: onnx.GraphProto, after: onnx.GraphProto, pattern: str) -> set[str]:
    """Nodes of `after` in which the nodes of `before` that a pattern means live on."""
    makes = {output: node.name for node in after.node for output in node.output if output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in before.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found: set[str] = set()
    for node in before.node:
        if not matched(pattern, as_node(node)):
            continue
        queue, seen = list(node.output), set(node.output)
        while queue:  # from its outputs to where they, or what becomes of them, are made now
            tensor = queue.pop()
            if tensor in makes:
                found.add(makes[tensor])
                continue
            for reader in readers.get(tensor, ()):
                fresh = [output for output in reader.output if output not in seen]
                seen.update(fresh)
                queue += fresh
    return found


def split(names: Sequence[str], made: onnx.ModelProto) -> list[str]:
    """The names, and those of the products that ONNX Runtime's dynamic quantizer makes of a Gemm among them before it reads what
    is excluded: NAME becomes NAME_MatMul and NAME_Add, and would be quantized all the same.
    """
    products = {f"{node.name}_MatMul" for node in made.graph.node if node.op_type == "Gemm" and node.name in names}
    return sorted({*names} | products)


def unique_names(graph: onnx.GraphProto) -> None:
    """Give every node a name that no other has: quantizers tell nodes apart by their names."""
    taken: set[str] = set()
    for index, node in enumerate(graph.node):
        name = node.name or f"{node.op_type}_of_{next((output for output in node.output if output), str(index))}"
        while name in taken:
            name += "_"
        node.name = name
        taken.add(name)


def as_node(node: onnx.NodeProto) -> Node:
    """What patterns are held against."""
    return Node(node.name, node.op_type, tuple(output for output in node.output if output))


def listed(nodes: Iterable[onnx.NodeProto]) -> list[Node]:
    """All of them."""
    return [as_node(node) for node in nodes]
