"""ONNX files: operators that nobody brings along, functions that call themselves, and weights that lie somewhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

from gatekeeper.models.formats._base import PAST_END
from gatekeeper.models.formats.onnx import SHAPES
from gatekeeper.models.protobuf import Message, Reader, Shape
from gatekeeper.scans._base import Belongs, Found, Rule, Saw, Seen, Unscanned
from gatekeeper.scans._inside import lies_inside

DESCRIPTION = "`.onnx`: operators, functions, and the places of weights in other files."
ORDER = 10
RULES = {
    "python_operator": Rule(
        "An operator that runs Python code of the model's author.", "Do not load the model. Export it without that operator."
    ),
    "recursive_function": Rule(
        "A function of the model that calls itself, or functions that grow to millions of operators when they are put in place.",
        "Do not load the model. Export it again with its functions put in place.",
    ),
    "external_path": Rule(
        "Weights that are read from outside of the model's folder, through a link, or from what is no file.",
        "Do not load the model. Save it again with its weights beside it.",
    ),
    "external_range": Rule(
        "Weights at a place in their file that is not there: below zero, or beyond its end.",
        "Do not load the model. Save it again, or copy its files again.",
    ),
    "external_memory": Rule(
        "Weights that are read from an address in the memory of whoever loads the model.", "Do not load the model."
    ),
}

KNOWN_DOMAINS = frozenset(
    {
        "", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft",
        "com.microsoft.experimental", "com.microsoft.nchwc", "com.ms.internal.nhwc", "com.microsoft.dml",
    }
)  # fmt: skip
"""Domains whose operators come with ONNX or ONNX Runtime."""

PYTHON = {"pyop", "pyfunc", "pythonop", "pythonopgrad", "pycustomop", "pyopmulti"}
MEMORY = "_ORT_MEM_ADDR_"
"""What ONNX Runtime itself writes in place of a file's name, for weights that it holds in memory."""

CONTEXT = ("EPContext", "ep_cache_context")
"""An operator that names a file of a hardware's own code, and the attribute that does."""

MOST_OPERATORS = 5_000_000
BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16, 17: 8, 18: 8,
    19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
EXTERNAL = 1

Name = tuple[str, str, str]
"""Of a function of the model: domain, name, and which overload of that name it is (onnx.proto, FunctionProto)."""

_SHAPES = SHAPES | {
    "model": Shape({7: "graph", 8: "opset", 20: "training", 25: "function"}, frozenset({6, 14})),
    "training": Shape({1: "graph", 2: "graph"}, frozenset({3, 4})),
    "function": Shape({7: "node", 11: "attribute"}, frozenset({8})),
    "attribute": Shape(
        {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}, frozenset({7, 8, 9, 13})
    ),
    "node": Shape({5: "attribute"}, frozenset({6})),
}


def takes(seen: Seen) -> bool:
    """By its name: ONNX has no mark."""
    return seen.suffix == ".onnx"


def scan(seen: Seen) -> Iterator[Saw]:
    """Every node and every weight of every graph in it."""
    if seen.content in ("gguf", "zip", "pickle", "hdf5", "program", "script", "npy"):
        return  # what it is then is said where names are compared with contents
    with seen.opened() as file:
        model = Reader(file, _SHAPES).read("model", seen.size)
    graphs = model.message(7)
    if not graphs:
        raise Unscanned("it has no graph: no ONNX model, or not a whole one")
    functions = model.message(25)
    training = [graph for each in model.message(20) for graph in each.message(1) + each.message(2)]
    nodes: list[Message] = []
    tensors: list[Message] = []
    for graph in (*graphs, *training):
        _graph(graph, nodes, tensors)
    for function in functions:
        _nodes(function.message(7), nodes, tensors)
    yield from _operators(seen, nodes, functions)
    yield from _functions(functions)
    yield from _weights(seen, tensors)


def _graph(graph: Message, nodes: list[Message], tensors: list[Message]) -> None:
    tensors += graph.message(5)
    for sparse in graph.message(15):
        tensors += sparse.message(1) + sparse.message(2)
    _nodes(graph.message(1), nodes, tensors)


def _nodes(own: list[Message], nodes: list[Message], tensors: list[Message]) -> None:
    """Nodes with those of their subgraphs, and the tensors in them."""
    nodes += own
    for node in own:
        for attribute in node.message(5):
            tensors += attribute.message(5) + attribute.message(10)
            for sparse in attribute.message(22) + attribute.message(23):
                tensors += sparse.message(1) + sparse.message(2)
            for graph in attribute.message(6) + attribute.message(11):
                _graph(graph, nodes, tensors)


def _operators(seen: Seen, nodes: Iterable[Message], functions: list[Message]) -> Iterator[Found]:
    """Operators that are neither known, nor allowed, nor a function of the model itself; each kind once."""
    own = set(map(_of_function, functions))
    told: set[tuple[str, str]] = set()
    for node in nodes:
        domain, name = node.string(7), node.string(4)
        if name == CONTEXT[0]:
            yield from _context(seen, node)
        if (domain, name) in told or _of_node(node) in own:
            continue
        where = f"node {(node.string(3) or ', '.join(node.strings(2)))[:80]!r}"
        if name.lower().rstrip("0123456789_") in PYTHON:
            told.add((domain, name))
            yield Found("python_operator", f"{domain[:80]}::{name[:80]}", where)
        elif domain not in KNOWN_DOMAINS and domain not in seen.domains:
            told.add((domain, name))
            yield Found("custom_operator", f"{name[:80]!r} of the domain {domain[:80]!r}", where)


def _of_function(function: Message) -> Name:
    """What a node must say to be that function."""
    return function.string(10), function.string(1), function.string(13)


def _of_node(node: Message) -> Name:
    return node.string(7), node.string(4), node.string(8)


def _context(seen: Seen, node: Message) -> Iterator[Found]:
    """Where the operator says that its code is in a file, the file lies in the folder."""
    attributes = {attribute.string(1): attribute for attribute in node.message(5)}
    embedded = attributes.get("embed_mode")
    place = attributes.get(CONTEXT[1])
    if place is not None and embedded is not None and embedded.integer(3, 1) == 0:
        why = lies_inside(seen.root, seen.path.parent, place.string(4))
        if why:
            yield Found("external_path", f"{place.string(4)[:120]!r} {why}", f"node {node.string(3)[:80]!r}")


def _functions(functions: list[Message]) -> Iterator[Found]:
    """Functions that reach themselves; and what all of them come to when each call is replaced by what it calls."""
    bodies = {_of_function(each): each for each in functions}
    calls: dict[Name, list[Name]] = {}
    sizes: dict[Name, int] = {}
    for name, function in bodies.items():
        inner: list[Message] = []
        _nodes(function.message(7), inner, [])
        calls[name] = [key for node in inner if (key := _of_node(node)) in bodies]
        sizes[name] = len(inner) - len(calls[name])
    if recursive := _cycle(calls):
        yield Found("recursive_function", f"{recursive[0][:80]}::{recursive[1][:80]} calls itself")
        return
    totals: dict[Name, int] = {}
    for name in _callees_first(calls):
        totals[name] = min(1 << 62, sizes[name] + sum(totals[each] for each in calls[name]))
        if totals[name] > MOST_OPERATORS:
            yield Found("recursive_function", f"{name[0][:80]}::{name[1][:80]} grows to {totals[name]:,} operators")
            return


def _cycle(calls: dict[Name, list[Name]]) -> Name | None:
    """A function that reaches itself; what is left when those that call nothing are taken away again and again."""
    left = set(calls) - set(_callees_first(calls))
    return min(left) if left else None


def _callees_first(calls: dict[Name, list[Name]]) -> list[Name]:
    waiting = {name: set(callees) for name, callees in calls.items()}
    callers: dict[Name, list[Name]] = {}
    for name, callees in waiting.items():
        for callee in callees:
            callers.setdefault(callee, []).append(name)
    order = [name for name, callees in waiting.items() if not callees]
    for name in order:
        for caller in callers.get(name, ()):
            waiting[caller].discard(name)
            if not waiting[caller]:
                order.append(caller)
    return order


def _weights(seen: Seen, tensors: Iterable[Message]) -> Iterator[Saw]:
    """Weights in other files: where, from which byte to which."""
    sizes: dict[str, int | Found] = {}
    for tensor in tensors:
        dims, where = tensor.integers(1), f"tensor {tensor.string(8)[:80]!r}"
        if len(dims) > 64 or any(d < 0 for d in dims) or prod(dims) >= 1 << 63:
            yield Found(PAST_END, "its dimensions are none that a tensor can have", where)
            continue
        entries = {entry.string(1): entry.string(2) for entry in tensor.message(13)}
        if tensor.integer(14) != EXTERNAL and "location" not in entries:
            continue
        place = entries.get("location", "")
        if place not in sizes:
            sizes[place] = held = _held(seen, place, where)
            yield held if isinstance(held, Found) else Belongs((seen.path.parent / place).relative_to(seen.root).as_posix())
        size = sizes[place]
        if isinstance(size, int):
            yield from _range(entries, size, -(-prod(dims) * BITS.get(tensor.integer(2), 0) // 8), where)


def _held(seen: Seen, place: str, where: str) -> int | Found:
    """Bytes of the file; what is found where it is none of the model's."""
    if MEMORY in place:
        return Found("external_memory", f"{place[:120]!r}", where)
    if why := lies_inside(seen.root, seen.path.parent, place):
        return Found("external_path", f"{place[:120]!r} {why}", where)
    file = seen.path.parent / place
    if not file.exists():
        raise Unscanned(f"its weights are in {place[:120]!r}, which is not there. Put both files together")
    if not file.is_file() or file.samefile(seen.path):
        return Found("external_path", f"{place[:120]!r} is {'the model itself' if file.is_file() else 'no file'}", where)
    return file.stat().st_size


def _range(entries: dict[str, str], size: int, needed: int, where: str) -> Iterator[Found]:
    numbers: dict[str, int] = {}
    for key in ("offset", "length"):
        text = entries.get(key, "")
        if not text:
            continue
        if not (text.isascii() and text.isdigit() and len(text) <= 20):
            yield Found("external_range", f"its {key} is {text[:40]!r}", where)
            return
        numbers[key] = int(text)
    start = numbers.get("offset", 0)
    length = numbers.get("length", needed)
    if start + max(length, needed) > size:
        yield Found("external_range", f"it takes {max(length, needed):,} bytes from {start:,} on, of a file of {size:,}", where)
