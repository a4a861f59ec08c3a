"""What a model computes as OpenVINO reads it, as one digest; of an IR, or of an ONNX model that an IR is held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.making.content._hash import combined

_NAMES = ("variable_id", "friendly_name", "name")
"""Settings that only name something."""


def content(path: Path) -> str:
    """A digest of operators and weights."""
    import openvino

    from gatekeeper.frameworks._openvino_device import read

    return _digest(read(openvino.Core(), path)).hex()


def _digest(model: Any, depth: int = 0) -> bytes:
    known: dict[tuple[int, int], bytes] = {}
    nodes, constants = [], set()
    places = {node.get_instance_id(): place for place, node in enumerate(model.get_parameters())}
    for node in model.get_ordered_ops():
        own, kind = node.get_instance_id(), node.get_type_name()
        inputs = [_source(known, port) for port in node.inputs()]
        settings = {name: value for name, value in sorted(node.get_attributes().items()) if name not in _NAMES}
        if kind == "Constant":
            made = combined(kind, settings, _bytes(node))
            constants.add(made)
        else:
            bodies = [_digest(body, depth + 1) for body in _bodies(node)]
            place = (depth, places[own]) if own in places else None
            made = combined(kind, settings, place, *inputs, "bodies", *bodies)
            nodes.append(made)
        known |= {(own, port): combined(made, port) for port in range(node.get_output_size())}
    outputs = [_source(known, result.input(0)) for result in model.get_results()]
    return combined(*sorted(nodes), "constants", *sorted(constants), "outputs", *outputs)


def _source(known: dict[tuple[int, int], bytes], port: Any) -> bytes:
    output = port.get_source_output()
    return known.get((output.get_node().get_instance_id(), output.get_index()), b"")


def _bodies(node: Any) -> list[Any]:
    """The graphs inside a loop or a branch."""
    if node.get_type_name() == "If":
        return [node.get_then_body(), node.get_else_body()]
    return [node.get_function()] if hasattr(node, "get_function") else []


def _bytes(constant: Any) -> bytes:
    """A constant's data as it is stored; types that numpy has not are packed into bytes."""
    import numpy as np

    if constant.get_element_type().get_type_name() == "string":
        return repr(constant.get_value_strings()).encode()
    return np.ascontiguousarray(constant.data).tobytes()
