"""Pairs of layers in an ONNX graph between which nothing happens that a factor for each channel would not pass through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

# f(s x) = s f(x) for s > 0, value by value or over values of one channel.
_THROUGH = {
    "Relu", "LeakyRelu", "Identity", "Dropout", "Abs", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool",
}  # fmt: skip
_SINGLE = {"Dropout": 1, "MaxPool": 1}
"""Of these only the first output is a value; whoever reads another one is not passed through."""


@dataclass
class Weights:
    """Constants while they are changed, in double precision, by name."""

    tensors: dict[str, onnx.TensorProto]
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    def of(self, name: str) -> NDArray[Any]:
        """The array of that name."""
        import numpy as np
        from onnx import numpy_helper

        if name not in self.arrays:
            self.arrays[name] = numpy_helper.to_array(self.tensors[name]).astype(np.float64)
        return self.arrays[name]

    def write(self, name: str) -> None:
        """Back into the model, in its own precision."""
        import numpy as np
        from onnx import numpy_helper

        tensor = self.tensors[name]
        plain = np.ascontiguousarray(self.of(name).astype(numpy_helper.to_array(tensor).dtype))
        tensor.CopyFrom(numpy_helper.from_array(plain, tensor.name))


@dataclass
class Layer:
    """One side of a pair: the channels along an axis of a weight, and what is added to them."""

    name: str
    weights: Weights
    weight: str
    axis: int
    added: list[str] = field(default_factory=list)
    group: int = 1  # of a convolution that reads channels: each group has weights for its own alone
    repeated: int = 1  # values of a channel that lie side by side where it is read flat


@dataclass
class Chain:
    """Two layers, the first of which makes the channels that the second, and nothing else, reads."""

    first: Layer
    second: Layer

    def made_by(self) -> NDArray[Any]:
        """The largest weight that makes each channel."""
        import numpy as np

        array = self.first.weights.of(self.first.weight)
        made: NDArray[Any] = np.abs(np.moveaxis(array, self.first.axis, 0)).reshape(array.shape[self.first.axis], -1).max(axis=1)
        return made

    def read_by(self) -> NDArray[Any]:
        """The largest weight that reads each channel."""
        import numpy as np

        rows = np.abs(self._reading())
        found: NDArray[Any] = rows.reshape(len(rows) // self.second.repeated, -1).max(axis=1)
        return found

    def rescale(self, factors: NDArray[Any]) -> None:
        """Divide what makes channels by their factors, and multiply what reads them."""
        import numpy as np

        first, second = self.first, self.second
        array = first.weights.of(first.weight)
        shape = [1] * array.ndim
        shape[first.axis] = -1
        array /= factors.reshape(shape)
        for name in first.added:
            added = first.weights.of(name)
            added /= factors.reshape(added.shape)
        rows = self._reading()
        rows *= np.repeat(factors, second.repeated).reshape(-1, *[1] * (rows.ndim - 1))
        self._read_back(rows)

    def write(self) -> None:
        """Both layers, back into the model."""
        for layer in (self.first, self.second):
            for name in (layer.weight, *layer.added):
                layer.weights.write(name)

    def _reading(self) -> NDArray[Any]:
        """The second layer's weight with the channels that it reads first: of a grouped convolution [M, C / G, ...] as
        [C, M / G, ...], channel by channel.
        """
        import numpy as np

        second = self.second
        array = second.weights.of(second.weight)
        if second.group == 1:
            return np.moveaxis(array, second.axis, 0).copy()
        outputs, inputs = array.shape[0] // second.group, array.shape[1]
        split = array.reshape(second.group, outputs, inputs, *array.shape[2:])
        return np.swapaxes(split, 1, 2).reshape(second.group * inputs, outputs, *array.shape[2:]).copy()

    def _read_back(self, rows: NDArray[Any]) -> None:
        import numpy as np

        second = self.second
        array = second.weights.of(second.weight)
        if second.group == 1:
            array[...] = np.moveaxis(rows, 0, second.axis)
            return
        outputs, inputs = array.shape[0] // second.group, array.shape[1]
        split = rows.reshape(second.group, inputs, outputs, *array.shape[2:])
        array[...] = np.swapaxes(split, 1, 2).reshape(array.shape)


def chains(model: onnx.ModelProto) -> list[Chain]:
    """Every pair of layers of the main graph, in its order; shapes are inferred here."""
    return list(_Graph(model).chains())


class _Graph:
    """A graph as it is walked: who reads what, which constants have one reader, and how tensors are shaped."""

    def __init__(self, model: onnx.ModelProto):
        from onnx import shape_inference

        from gatekeeper.frameworks._onnx_prepare import LIMIT

        self.graph = model.graph
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.graph.node:
            for name in dict.fromkeys(node.input):
                self.readers.setdefault(name, []).append(node)
        reads = Counter(name for node in self.graph.node for name in node.input)
        inside = {name for node in self.graph.node for name in _captured(node)}  # bodies of If and Loop see these by name
        self.last = {each.name for each in self.graph.output} | inside
        known = {tensor.name: tensor for tensor in self.graph.initializer}
        free = {name for name in known if reads[name] == 1 and name not in self.last}
        free -= {each.name for each in self.graph.input}  # a constant that a caller may replace
        self.constants = known
        self.weights = Weights({name: known[name] for name in free if known[name].data_type in (1, 10, 11)})
        # Of one that is too large for a message shapes stay unknown, and what is flattened is left alone.
        inferred = shape_inference.infer_shapes(model) if model.ByteSize() < LIMIT else model
        infos = (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
        self.shapes = {each.name: [d.dim_value for d in each.type.tensor_type.shape.dim] for each in infos}

    def chains(self) -> Iterator[Chain]:
        for node in self.graph.node:
            made = self._maker(node)
            if made is not None and (second := self._reader(node.output[0], *made)) is not None:
                yield Chain(made[0], second)

    def _maker(self, node: onnx.NodeProto) -> tuple[Layer, int] | None:
        """A layer whose outputs' channels may be divided, and the axis of its output where they lie, from the end if negative."""
        if len(node.input) < 2 or node.input[1] not in self.weights.tensors:
            return None
        name, weight, rank = node.name or node.output[0], node.input[1], len(self.weights.tensors[node.input[1]].dims)
        settings = _settings(node)
        if node.op_type == "Conv":
            found = Layer(name, self.weights, weight, 0), 1
        elif node.op_type == "ConvTranspose" and settings.get("group", 1) == 1:
            found = Layer(name, self.weights, weight, 1), 1
        elif node.op_type == "Gemm":
            found = Layer(name, self.weights, weight, 0 if settings.get("transB") else 1), 1
        elif node.op_type == "MatMul" and rank == 2:
            found = Layer(name, self.weights, weight, 1), -1
        else:
            return None
        if len(node.input) > 2 and node.input[2]:
            if not self._per_channel(node.input[2], self._width(found[0])):
                return None
            found[0].added.append(node.input[2])
        return found

    def _width(self, layer: Layer) -> int:
        return int(self.weights.tensors[layer.weight].dims[layer.axis])

    def _per_channel(self, name: str, width: int) -> bool:
        """Whether a constant has one value for each channel, and nobody else reads it."""
        tensor = self.weights.tensors.get(name)
        return (
            tensor is not None
            and max(tensor.dims, default=0) == width
            and all(d in (1, width) for d in tensor.dims)
            and (sum(d == width for d in tensor.dims) == 1)
        )

    def _reader(self, tensor: str, layer: Layer, axis: int) -> Layer | None:
        """The layer that reads what another made, if nothing is in the way and nobody else reads it."""
        width, flat = self._width(layer), 1
        while tensor not in self.last and len(self.readers.get(tensor, ())) == 1:
            node = self.readers[tensor][0]
            if (found := self._reading(node, tensor, width, axis, flat)) is not None:
                return found
            settings = _settings(node)
            if node.op_type in _THROUGH and node.input[0] == tensor and not any(node.output[_SINGLE.get(node.op_type, 9) :]):
                pass
            elif node.op_type == "Add" and self._added(node, tensor, width, axis, flat):
                layer.added.append(next(name for name in node.input if name != tensor))
            elif node.op_type == "Transpose" and flat == 1 and axis >= 0 and settings.get("perm"):
                axis = list(settings["perm"]).index(axis)
            elif (values := self._flattened(node, tensor, width, axis)) and flat == 1:
                axis, flat = 1, values
            else:
                return None
            tensor = node.output[0]
        return None

    def _reading(self, node: onnx.NodeProto, tensor: str, width: int, axis: int, flat: int) -> Layer | None:
        if len(node.input) < 2 or node.input[0] != tensor or node.input[1] not in self.weights.tensors:
            return None
        weight, settings = node.input[1], _settings(node)
        name, dims = node.name or node.output[0], self.weights.tensors[node.input[1]].dims
        group = settings.get("group", 1)
        last = axis == -1 or axis == self._rank(tensor) - 1
        if node.op_type == "Conv" and axis == 1 and flat == 1 and dims[1] * group == width:
            return Layer(name, self.weights, weight, 1, group=group)
        if node.op_type == "ConvTranspose" and axis == 1 and flat == 1 and dims[0] == width:
            return Layer(name, self.weights, weight, 0)
        if node.op_type == "Gemm" and not settings.get("transA") and axis in (1, -1):
            side = 1 if settings.get("transB") else 0
            return Layer(name, self.weights, weight, side, repeated=flat) if dims[side] == width * flat else None
        if node.op_type == "MatMul" and len(dims) == 2 and last and dims[0] == width * flat:
            return Layer(name, self.weights, weight, 0, repeated=flat)
        return None

    def _added(self, node: onnx.NodeProto, tensor: str, width: int, axis: int, flat: int) -> bool:
        """Whether an Add brings a constant for each channel, along the channels' axis."""
        others = [name for name in node.input if name != tensor]
        if flat != 1 or len(others) != 1 or not self._per_channel(others[0], width):
            return False
        dims, rank = list(self.weights.tensors[others[0]].dims), self._rank(tensor)
        if rank == 0 and axis != -1:
            return False
        place = axis - rank if axis >= 0 else axis
        return -len(dims) <= place and dims[place] == width

    def _flattened(self, node: onnx.NodeProto, tensor: str, width: int, axis: int) -> int:
        """How many values of a channel lie side by side after a node that flattens all but the batch; 0 of other nodes."""
        shape, after = self.shapes.get(tensor, []), self.shapes.get(node.output[0], [])
        if node.op_type not in ("Flatten", "Reshape") or node.input[0] != tensor or axis != 1 or len(shape) < 2:
            return 0
        values = 1
        for size in shape[2:]:
            values *= size
        settings = _settings(node)
        if values == 0 or (node.op_type == "Flatten" and settings.get("axis", 1) != 1):
            return 0
        whole = len(after) == 2 and after[1] == width * values  # so what is before it can only be the batch
        return values if whole else 0

    def _rank(self, tensor: str) -> int:
        return len(self.shapes.get(tensor, ()))


def _captured(node: onnx.NodeProto) -> Iterator[str]:
    """Names that the bodies inside a node mention."""
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            for inner in graph.node:
                yield from inner.input
                yield from _captured(inner)
            yield from (each.name for each in graph.output)


def _settings(node: onnx.NodeProto) -> dict[str, Any]:
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute}
