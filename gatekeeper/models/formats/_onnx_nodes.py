"""The nodes of an ONNX model by name, operator and outputs, read without its weights."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.models.formats._base import opened
from gatekeeper.models.formats.onnx import SHAPES, inside
from gatekeeper.models.protobuf import Reader


def nodes(path: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    """(name, operator type, outputs) of every node, also of those in bodies and functions; `NotMeasured` of what is no model."""
    with opened(path, "ONNX model", "Export") as (file, size):
        model = Reader(file, SHAPES).read("model", size)
    found = []
    for holder, number in [*((graph, 1) for graph in model.message(7)), *((function, 7) for function in model.message(25))]:
        found += inside(holder.message(number))[1]
    return [(node.string(3), node.string(4), tuple(name for name in node.strings(2) if name)) for node in found]
