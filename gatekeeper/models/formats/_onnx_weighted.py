"""Which operators of an ONNX model have a constant matrix or kernel as weight; inside the model's own functions too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gatekeeper.models.formats._base import Malformed
from gatekeeper.models.protobuf import Message

FOLDED = {"Transpose", "Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze"}
WEIGHT_INPUT = {
    "MatMul": 1, "Gemm": 1, "Conv": 1, "ConvTranspose": 1, "LSTM": 1, "GRU": 1, "RNN": 1, "Attention": 1, "Gather": 0,
}  # fmt: skip
MAX_CALLS = 30
"""Functions that call functions, this deep: deeper ones call themselves, which ONNX forbids."""

Key = tuple[str, str]
Counts = tuple[Counter[str], Counter[str]]


def weighted(graph: Message, functions: list[Message]) -> Counts:
    """Operators whose weight is a constant floating-point matrix or kernel: of this graph, and of those nested in it.

    A function counts as often as it is called, with what each call gives it: quantizers see it inlined. What is folded
    before quantizing counts as constant.
    """
    walk = _Walk({(function.string(10), function.string(1)): function for function in functions})
    own, nested, _ = walk.graph(graph, frozenset(), 0)
    return own, nested


class _Walk:
    """Remembers what a function holds for each choice of constant inputs: functions that call functions are told apart once."""

    def __init__(self, functions: dict[Key, Message]):
        self.functions = functions
        self.known: dict[tuple[Key, frozenset[str]], tuple[Counter[str], Counter[str], frozenset[str]]] = {}

    def graph(self, graph: Message, outer: frozenset[str], depth: int) -> tuple[Counter[str], Counter[str], set[str]]:
        """Counts, and the names of all constant matrices. `outer` are those that a nested graph sees."""
        return self._nodes(graph.message(1), set(outer) | {t.string(8) for t in graph.message(5) if _is_matrix(t)}, depth)

    def _nodes(self, nodes: Iterable[Message], matrices: set[str], depth: int) -> tuple[Counter[str], Counter[str], set[str]]:
        own: Counter[str] = Counter()
        nested: Counter[str] = Counter()
        for node in nodes:
            operator, inputs = node.string(4), node.strings(1)
            if (function := self.functions.get((node.string(7), operator))) is not None:
                inside, below, made = self._called(function, node, matrices, depth)
                own.update(inside)
                nested.update(below)
                matrices |= made
            elif (operator == "Constant" and any(_is_matrix(t) for a in node.message(5) for t in a.message(5))) or (
                operator in FOLDED and inputs and inputs[0] in matrices
            ):
                matrices |= set(node.strings(2))
            elif operator in WEIGHT_INPUT and len(inputs) > WEIGHT_INPUT[operator] and inputs[WEIGHT_INPUT[operator]] in matrices:
                own[operator] += 1
            for attribute in node.message(5):
                for subgraph in attribute.message(6) + attribute.message(11):
                    for counts in self.graph(subgraph, frozenset(matrices), depth)[:2]:
                        nested.update(counts)
        return own, nested, matrices

    def _called(
        self, function: Message, call: Message, matrices: set[str], depth: int
    ) -> tuple[Counter[str], Counter[str], set[str]]:
        """What one call brings, and which of its outputs are constant matrices."""
        if depth >= MAX_CALLS:
            raise Malformed(f"its functions call one another more than {MAX_CALLS} deep")
        given = frozenset(
            formal for formal, actual in zip(function.strings(4), call.strings(1), strict=False) if actual in matrices
        )
        key = (function.string(10), function.string(1)), given
        if key not in self.known:
            own, nested, inside = self._nodes(function.message(7), set(given), depth + 1)
            self.known[key] = own, nested, frozenset(inside)
        own, nested, constant = self.known[key]
        made = {actual for formal, actual in zip(function.strings(5), call.strings(2), strict=False) if formal in constant}
        return own, nested, made


def _is_matrix(tensor: Message) -> bool:
    return tensor.integer(2) in (1, 10, 16) and len(tensor.integers(1)) >= 2
