"""One layer of a quantized ONNX model inside the floating-point model that it was made from.

A quantizer is asked once, for all layers; each layer's part of what it made is then put in place of the original's. What belongs
to a layer is told by tensors, not by names of nodes: those are missing, doubled, or changed when nodes are fused, while what is
computed between two tensors that both models have is the same thing in both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gatekeeper.errors import NotMeasured

if TYPE_CHECKING:
    import onnx


ROUNDING = ("QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True)
class Part:
    """A layer: the tensor that it makes in both models, and its main node in the floating-point one. `weights` is how many
    constant numbers that node has.
    """

    output: str
    node: str
    operator: str
    weights: int


@dataclass
class _Graph:
    """A model's outermost graph by its tensors."""

    model: onnx.ModelProto
    maker: dict[str, int] = field(default_factory=dict)
    users: dict[str, list[int]] = field(default_factory=dict)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.maker = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        for i, node in enumerate(graph.node):
            for name in node.input:
                self.users.setdefault(name, []).append(i)

    @property
    def tensors(self) -> set[str]:
        return {*self.maker, *self.constants, *(each.name for each in self.model.graph.input)}

    def before(self, tensor: str, known: set[str]) -> list[int]:
        """The nodes between known tensors and this one, in the graph's order."""
        found, queue = set[int](), [tensor]
        while queue:
            index = self.maker.get(queue.pop())
            if index is None or index in found:
                continue
            found.add(index)
            queue += [name for name in self.model.graph.node[index].input if name and name not in known]
        return sorted(found)

    def operators(self, nodes: list[int]) -> list[str]:
        return sorted(self.model.graph.node[i].op_type for i in nodes)


class Pair:
    """A floating-point model and the quantized one that was made of it."""

    def __init__(self, original: onnx.ModelProto, quantized: onnx.ModelProto):
        self.original, self.quantized = _Graph(original), _Graph(quantized)
        self._common = self.original.tensors & self.quantized.tensors
        self._domains()

    def _domains(self) -> None:
        one, other = (_versions(each.model) for each in (self.original, self.quantized))
        if one.get("") != other.get(""):
            said = f"it was made of operators of opset {one.get('')}, and has those of {other.get('')}"
            raise NotMeasured("unsupported", f"its layers cannot be told apart: {said}. Export the model with a newer opset.")

    def parts(self) -> list[Part]:
        """The layers that are quantized, in the order in which the original computes them.

        Of what lies between them (a maximum, a bias in floats), only the rounding around it is new, and that is theirs.
        """
        found: dict[str, Part] = {}
        for node in self.original.model.graph.node:
            if node.op_type == "Constant" or not node.output:
                continue
            end = self._end(node.output[0])
            if end is None or not self._quantized(end, node.op_type):
                continue
            part = Part(end, node.name, node.op_type, self._weights(node))
            if end not in found or part.weights > found[end].weights:
                found[end] = part
        return list(found.values())

    def _end(self, tensor: str) -> str | None:
        """The first tensor from this one on that both models compute; None where what follows is not one way."""
        while not (tensor in self.original.maker and tensor in self.quantized.maker):
            users = self.original.users.get(tensor, [])
            if len(users) != 1:
                return None
            tensor = self.original.model.graph.node[users[0]].output[0]
        return tensor

    def _quantized(self, end: str, operator: str) -> bool:
        """Whether what computes a tensor has other operators, or its constants in fewer bits, or multiplies rounded matrices."""
        before = self.quantized.before(end, self._common)
        made = self.quantized.operators(before)
        if made == (own := self.original.operators(self.original.before(end, self._common))):
            return False
        nodes = [self.quantized.model.graph.node[i] for i in before]
        constants = any(each.op_type == ROUNDING[1] and each.input[0] in self.quantized.constants for each in nodes)
        return constants or operator == "MatMul" or [each for each in made if each not in ROUNDING] != own

    def _weights(self, node: onnx.NodeProto) -> int:
        sizes = [_count(self.original.constants[name]) for name in node.input if name in self.original.constants]
        return sum(sizes)

    def nodes(self, part: Part) -> list[int]:
        """The numbers of the quantized model's nodes that compute it."""
        return self.quantized.before(part.output, self._common)

    def alone(self, part: Part) -> onnx.ModelProto:
        """The original with this layer as the quantized model has it, its output's own rounding with it."""
        import onnx

        made = onnx.ModelProto()
        made.CopyFrom(self.original.model)
        made.ir_version = max(made.ir_version, self.quantized.model.ir_version)
        graph, source = made.graph, self.quantized.model.graph
        index = self.original.maker[part.output]
        inside = self.quantized.before(part.output, self._common)
        after = [] if part.output in {each.name for each in source.output} else self._rounding(part.output)
        rounded = source.node[after[-1]].output[0] if after else part.output
        nodes: list[onnx.NodeProto] = []
        renamed = self._brought(graph, [source.node[i] for i in [*inside, *after]])
        for i, node in enumerate(self.original.model.graph.node):
            if i == index:
                nodes += [self._copy(source.node[j], renamed) for j in [*inside, *after]]
                continue
            nodes.append(self._copy(node, {part.output: rounded}))
        del graph.node[:]
        graph.node.extend(nodes)
        present = {entry.domain for entry in made.opset_import}
        made.opset_import.extend(e for e in self.quantized.model.opset_import if e.domain not in present)
        return made

    def _rounding(self, tensor: str) -> list[int]:
        """The QuantizeLinear and DequantizeLinear that the quantized model puts behind a tensor, where it does."""
        nodes = self.quantized.model.graph.node
        for first in self.quantized.users.get(tensor, []):
            if nodes[first].op_type != "QuantizeLinear" or nodes[first].input[0] != tensor:
                continue
            for second in self.quantized.users.get(nodes[first].output[0], []):
                if nodes[second].op_type == "DequantizeLinear":
                    return [first, second]
        return []

    def _brought(self, graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> dict[str, str]:
        """Add the constants that these nodes want; the new names of those that another one has taken."""
        import onnx

        renamed: dict[str, str] = {}
        for name in dict.fromkeys(name for node in nodes for name in node.input):
            constant, there = self.quantized.constants.get(name), self.original.constants.get(name)
            if constant is None or (there is not None and there == constant):
                continue
            own = onnx.TensorProto()
            own.CopyFrom(constant)
            if name in self._common:
                own.name = renamed[name] = f"{name}/quantized"
            graph.initializer.append(own)
        return renamed

    @staticmethod
    def _copy(node: onnx.NodeProto, renamed: dict[str, str]) -> onnx.NodeProto:
        import onnx

        made = onnx.NodeProto()
        made.CopyFrom(node)
        made.name = ""  # two of one name are refused by some versions
        for i, name in enumerate(made.input):
            made.input[i] = renamed.get(name, name)
        return made


def _versions(model: onnx.ModelProto) -> dict[str, int]:
    return {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}


def _count(tensor: onnx.TensorProto) -> int:
    count = 1
    for length in tensor.dims:
        count *= length
    return count
