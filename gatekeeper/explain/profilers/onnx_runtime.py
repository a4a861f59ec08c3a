"""ONNX Runtime's own profiler: every kernel, which it slows down by 30 to 65 %."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.explain.profilers._base import WARM_UP, Node, Times, repeated
from gatekeeper.frameworks import _genai
from gatekeeper.frameworks._spec import ModelSpec, around
from gatekeeper.frameworks.onnx_runtime import OrtSession

if TYPE_CHECKING:
    import onnx

DESCRIPTION = "ONNX Runtime's profiler: kernel by kernel, as shares, since it slows all of them down."

MOST_EVENTS = 400_000
LEAST, MOST = 20, 2000
NAME = re.compile(r"^gk(\d+)(?!\d)")
"""Fused nodes take the name of one of those they are made of, with something behind it."""


def profile(spec: ModelSpec, feeds: Sequence[dict[str, Any]], folder: Path, seconds: float) -> Times:
    """Nodes are named by their numbers first: many have no name, and the profile knows nothing else of them."""
    artifact = Path(spec.artifact)
    if (artifact / _genai.CONFIG).is_file() if artifact.is_dir() else False:
        raise NotMeasured("unsupported", "onnxruntime-genai runs language models itself, and does not time their operators.")
    model = artifact / "model.onnx" if artifact.is_dir() else artifact
    copy, weights, notes = _named(model, folder)
    inner = OrtSession(copy, spec.threads, spec.device, profile=folder / "profile")
    session = around(spec, inner)
    most = max(LEAST, min(MOST, MOST_EVENTS // max(1, len(weights))))
    runs = max(repeated(session.run, feeds, seconds, LEAST, most))
    if spec.device != "cpu":
        notes.append(f"on {spec.device} a kernel's time is that of starting it")
    with inner.profiled().open(encoding="utf-8") as file:
        events = json.load(file)
    return Times(nodes=_nodes(events, weights, runs), runs=runs, notes=notes)


def _named(model: Path, folder: Path) -> tuple[Path, list[int], list[str]]:
    """A copy whose nodes are called by their number, and the constant bytes of each."""
    import onnx

    graph = onnx.load(str(model), load_external_data=False)
    weights = _weights(graph.graph)
    if any(tensor.external_data for tensor in graph.graph.initializer):
        return model, weights, ["its weights lie beside it, so that nodes are told by their kind only"]
    for i, node in enumerate(graph.graph.node):
        node.name = f"gk{i}"
    copy = folder / "named.onnx"
    onnx.save(graph, str(copy))
    return copy, weights, []


def _weights(graph: onnx.GraphProto) -> list[int]:
    """Bytes of the constants of each node, also of those that are dequantized on the way: kernels hold them packed, and the
    profile then counts nothing for them.
    """
    sizes = {tensor.name: _bytes(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in sizes:
            sizes[node.output[0]] = sizes[node.input[0]]
    return [0 if node.op_type == "DequantizeLinear" else sum(sizes.get(name, 0) for name in node.input) for node in graph.node]


def _bytes(tensor: onnx.TensorProto) -> int:
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data)
    import onnx

    count = 1
    for length in tensor.dims:
        count *= length
    return int(count * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def _nodes(events: list[dict[str, Any]], weights: list[int], runs: int) -> list[Node]:
    """Kernels by their number in the session's graph, without the runs that warmed up."""
    starts = sorted(each["ts"] for each in events if each.get("name") == "model_run")
    begin = starts[WARM_UP] if len(starts) > WARM_UP else 0
    found: dict[str, list[dict[str, Any]]] = {}
    for each in events:
        if each.get("cat") == "Node" and each["name"].endswith("_kernel_time") and each["ts"] >= begin:
            found.setdefault(f"{each['args'].get('node_index')} {each['name']}", []).append(each)
    return [_node(timed, weights, runs) for timed in found.values()]


def _node(timed: list[dict[str, Any]], weights: list[int], runs: int) -> Node:
    first = timed[0]
    said, told = NAME.match(first["name"]), first["args"]
    index = int(said[1]) if said and int(said[1]) < len(weights) else None
    constant = max(weights[index] if index is not None else 0, int(told.get("parameter_size", 0)))
    return Node(
        operator=told["op_name"],
        ns=sum(each["dur"] for each in timed) * 1000 / runs,
        index=index,
        moved=int(told.get("activation_size", 0)) + int(told.get("output_size", 0)) + constant,
    )
