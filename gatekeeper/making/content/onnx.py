"""What an ONNX model computes, as one digest.

A value is known by how it comes about, not by its name: an input by its place, a constant by its data, a result by its operator,
its settings and the values that go in. A function is what it stands for, and a setting at its default is one left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.making.content._hash import combined

if TYPE_CHECKING:
    import onnx

_SCALARS = ("value_float", "value_floats", "value_int", "value_ints", "value_string", "value_strings")


def content(path: Path) -> str:
    """A digest of operators and weights."""
    import onnx
    import onnx.inliner

    model = onnx.load(str(path))
    if model.functions:
        model = onnx.inliner.inline_local_functions(model, convert_version=True)
    versions = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    return _Graph(versions).digest(model.graph, {}, 0).hex()


class _Graph:
    def __init__(self, versions: dict[str, int]):
        self.versions = versions

    def digest(self, graph: onnx.GraphProto, outer: dict[str, bytes], depth: int) -> bytes:
        """Of a graph that sees the values of `outer`."""
        known, constants, nodes = dict(outer), set(), []
        for tensor in graph.initializer:
            known[tensor.name] = _tensor(tensor)
            constants.add(known[tensor.name])
        for sparse in graph.sparse_initializer:
            known[sparse.values.name] = combined("sparse", _tensor(sparse.values), _tensor(sparse.indices), list(sparse.dims))
            constants.add(known[sparse.values.name])
        given = {tensor.name for tensor in graph.initializer}
        for place, value in enumerate(value for value in graph.input if value.name not in given):
            known[value.name] = combined("input", depth, place, *_declared(value))
        for node in graph.node:
            if node.op_type == "Constant" and (made := _constant(node)) is not None:
                known[node.output[0]] = made
                constants.add(made)
                continue
            inputs = [known.get(name, b"") for name in node.input]
            made = combined(node.domain or "ai.onnx", node.op_type, *inputs, "settings", *self._settings(node, known, depth))
            nodes.append(made)
            known |= {name: combined(made, place) for place, name in enumerate(node.output) if name}
        outputs = [known.get(value.name, b"") for value in graph.output]
        return combined(*sorted(nodes), "constants", *sorted(constants), "outputs", *outputs)

    def _settings(self, node: onnx.NodeProto, known: dict[str, bytes], depth: int) -> list[Any]:
        """Names and values of a node's attributes, in the alphabet's order, without those that say what goes without saying."""
        import onnx

        domain = "" if node.domain == "ai.onnx" else node.domain
        try:
            schema = onnx.defs.get_schema(node.op_type, self.versions.get(domain or "ai.onnx", 1), domain)
            defaults = {name: a.default_value for name, a in schema.attributes.items() if a.default_value.type}
        except onnx.defs.SchemaError:
            defaults = {}
        found = {attribute.name: self._value(attribute, known, depth) for attribute in node.attribute}
        usual = {name: self._value(value, known, depth) for name, value in defaults.items()}
        return [part for name in sorted(found) if found[name] != usual.get(name) for part in (name, found[name])]

    def _value(self, attribute: onnx.AttributeProto, known: dict[str, bytes], depth: int) -> Any:
        import onnx

        value = onnx.helper.get_attribute_value(attribute)
        several = value if isinstance(value, (list, tuple)) or hasattr(value, "extend") else None
        if several is not None:
            return combined(*(self._one(part, known, depth) for part in several))
        return self._one(value, known, depth)

    def _one(self, value: Any, known: dict[str, bytes], depth: int) -> Any:
        import onnx

        if isinstance(value, onnx.GraphProto):
            return self.digest(value, known, depth + 1)
        if isinstance(value, onnx.TensorProto):
            return _tensor(value)
        return value.SerializeToString(deterministic=True) if hasattr(value, "SerializeToString") else value


def _declared(value: onnx.ValueInfoProto) -> tuple[int, list[int | None]]:
    """Element type and shape of an input; what an axis of any length is called does not matter."""
    kind = value.type.tensor_type
    return kind.elem_type, [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]


def _constant(node: onnx.NodeProto) -> bytes | None:
    """The tensor of a Constant; None where it is no plain one."""
    import numpy as np
    import onnx

    for attribute in node.attribute:
        if attribute.name == "value":
            return _tensor(attribute.t)
        if attribute.name in _SCALARS:
            value = onnx.helper.get_attribute_value(attribute)
            kind = {"f": np.float32, "i": np.int64, "s": np.object_}[attribute.name.removeprefix("value_")[0]]
            return _tensor(onnx.numpy_helper.from_array(np.array(value, dtype=kind)))
    return None


def _tensor(tensor: onnx.TensorProto) -> bytes:
    """A constant: type, shape and numbers, however they are stored."""
    from onnx import numpy_helper

    values = numpy_helper.to_array(tensor)
    data = repr(values.tolist()) if values.dtype.kind == "O" else values.tobytes()
    return combined("tensor", tensor.data_type, list(tensor.dims), data)
