"""Inspects OpenVINO IR models by their .xml, as a stream; of the .bin beside it only the size is looked at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from gatekeeper.errors import NotMeasured
from gatekeeper.models.formats._base import ENTITIES, LICENSE_KEYS, MOST_LICENSE, PAST_END, Malformed, opened
from gatekeeper.models.info import Assessment, TensorInfo

SUFFIXES = (".xml",)

# Element type in the file -> name here, bits.
DTYPES = {
    "f64": ("float64", 64), "f32": ("float32", 32), "f16": ("float16", 16), "bf16": ("bfloat16", 16),
    "f8e4m3": ("float8e4m3fn", 8), "f8e5m2": ("float8e5m2", 8), "f8e8m0": ("float8e8m0", 8), "f4e2m1": ("float4e2m1", 4),
    "nf4": ("nf4", 4), "i64": ("int64", 64), "i32": ("int32", 32), "i16": ("int16", 16), "i8": ("int8", 8), "i4": ("int4", 4),
    "u64": ("uint64", 64), "u32": ("uint32", 32), "u16": ("uint16", 16), "u8": ("uint8", 8), "u4": ("uint4", 4),
    "boolean": ("bool", 8), "string": ("string", 0),
}  # fmt: skip
FLOATS = {"f32", "f16", "bf16"}
NARROW = {"i8", "u8", "i4", "u4", "nf4", "f8e4m3", "f8e5m2", "f4e2m1"}

WEIGHTED = {
    "MatMul", "Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData",
    "LSTMSequence", "GRUSequence", "RNNSequence", "LSTMCell", "GRUCell", "RNNCell", "Gather",
}  # fmt: skip
FOLDED = {"Convert", "Transpose", "Reshape", "Squeeze", "Unsqueeze"}
BODIES = {"net", "body", "then_body", "else_body"}

MAX_BYTES = 256 << 20  # of the .xml
MAX_DEPTH = 100
MAX_ELEMENTS = 5_000_000
MAX_TAG = 4 << 20
MAX_RANK = 64
CHUNK = 1 << 16


@dataclass
class _Layer:
    kind: str
    name: str
    version: str
    data: dict[str, str] = field(default_factory=dict)
    dims: list[int | str | None] = field(default_factory=list)
    precision: str = ""
    names: dict[str, str] = field(default_factory=dict)  # port -> its tensor names

    @property
    def shape(self) -> list[int]:
        """Dimensions of a constant."""
        dims = [_number(d, PAST_END) for d in self.data.get("shape", "").split(",") if d.strip()]
        if len(dims) > MAX_RANK or prod(dims) >= 1 << 63:
            raise Malformed(f"the constant '{self.name[:80]}' has impossible dimensions", PAST_END)
        return dims

    @property
    def type(self) -> str:
        return self.data.get("element_type", "")


@dataclass
class _Graph:
    nested: bool
    layers: dict[str, _Layer] = field(default_factory=dict)
    edges: list[tuple[str, str, str, str]] = field(default_factory=list)  # layer, port, layer, port


class _Reader:
    """What is needed of the XML; `Malformed` as soon as it is not what it should be."""

    def __init__(self) -> None:
        self.graphs: list[_Graph] = []  # the whole model's comes last
        self.version = self.producer = ""
        self.licenses: dict[str, str] = {}
        self._open: list[_Graph] = []
        self._path: list[str] = []
        self._layers: list[_Layer] = []
        self._text: list[str] | None = None
        self._elements = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self, file: BinaryIO) -> None:
        fed = 0
        try:
            while chunk := file.read(CHUNK):
                self._parser.Parse(chunk, False)
                fed += len(chunk)
                if fed - max(self._parser.CurrentByteIndex, 0) > MAX_TAG:
                    raise Malformed(f"a tag or comment of more than {MAX_TAG >> 20} MB")
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            cut = error.code in _CUT
            raise Malformed(f"{expat.ErrorString(error.code)} in line {error.lineno}{': it is cut short' * cut}") from None
        except (ValueError, UnicodeError, LookupError) as error:
            raise error if isinstance(error, Malformed) else Malformed(str(error)) from None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS or len(self._path) >= MAX_DEPTH:
            raise Malformed(f"more than {MAX_ELEMENTS:,} elements, or nested more than {MAX_DEPTH} deep")
        parent = self._path[-1] if self._path else ""
        if not self._path:
            if tag != "net":
                raise Malformed(f"its first element is <{tag[:80]}>, not <net>")
            self.version = attributes.get("version", "")
        self._path.append(tag)
        if tag in BODIES and (parent in ("", "layer")):
            self._open.append(_Graph(nested=bool(self._open)))
        elif tag == "layer" and parent == "layers":
            self._layer(attributes)
        elif tag == "data" and parent == "layer":
            self._layers[-1].data = attributes
        elif tag == "port" and self._path[-3:-1] in (["layer", "input"], ["layer", "output"]):
            layer = self._layers[-1]
            layer.precision = attributes.get("precision", "")
            if names := attributes.get("names"):
                layer.names[attributes.get("id", "")] = names
        elif tag == "dim" and parent == "port" and self._layers and self._layers[-1].kind == "Result":
            self._text = []
        elif tag == "edge" and parent == "edges":
            ends = ("from-layer", "from-port", "to-layer", "to-port")
            self._open[-1].edges.append(tuple(attributes.get(end, "") for end in ends))  # type: ignore[arg-type]
        elif self._path[1:-1] == ["rt_info"] and (tag, attributes.get("name")) in _PRODUCER:
            self.producer = attributes.get("value", "")[:200]
        elif self._path[1:2] == ["rt_info"] and (attributes.get("name") or tag).lower() in LICENSE_KEYS:
            self.licenses["/".join(["rt_info", *self._path[2:-1], attributes.get("name") or tag])] = attributes.get("value", "")

    def _layer(self, attributes: dict[str, str]) -> None:
        kind, version = attributes.get("type", ""), attributes.get("version", "")
        layer = _Layer(kind if version.startswith("opset") else f"{version}::{kind}", attributes.get("name", ""), version)
        if "output_names" in attributes:
            layer.names[""] = attributes["output_names"]
        if self._open[-1].layers.setdefault(attributes.get("id", ""), layer) is not layer:
            raise Malformed(f"two layers have the id '{attributes.get('id', '')[:80]}'")
        self._layers.append(layer)

    def _end(self, tag: str) -> None:
        self._path.pop()
        parent = self._path[-1] if self._path else ""
        if tag in BODIES and parent in ("", "layer"):
            self.graphs.append(self._open.pop())
        elif tag == "layer" and parent == "layers":
            self._layers.pop()
        elif tag == "dim" and self._text is not None:
            self._layers[-1].dims.append(_dimension("".join(self._text)))
            self._text = None

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _doctype(self, *_: object) -> None:
        raise Malformed("it declares a document type, which no IR needs and entity bombs do", ENTITIES)


_CUT = {
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
    expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
}
_PRODUCER = {("info", "OpenVINO Runtime"), ("Runtime_version", None)}


def inspect(path: Path) -> Assessment:
    """Characteristics of an IR model; `NotMeasured` (kind model) if it is not one, or its weights are not there."""
    with opened(path, "OpenVINO model", "Convert") as (file, size):
        return _assess(path, size, _read(file, size))


def licenses(path: Path) -> dict[str, str]:
    """What the model's `rt_info` says of its licence, by place; `NotMeasured` (kind model) if it is none."""
    with opened(path, "OpenVINO model", "Convert") as (file, size):
        found = _read(file, size).licenses
    return {where: said[:MOST_LICENSE] for where, said in found.items() if said.strip()}


def _read(file: BinaryIO, size: int) -> _Reader:
    if size > MAX_BYTES:
        raise Malformed(f"more than {MAX_BYTES >> 20} MB of XML")
    reader = _Reader()
    reader.read(file)
    return reader


def operators(path: Path, file: BinaryIO, size: int) -> tuple[list[tuple[str, str, str]], bool]:
    """(set, kind, name) of every layer of an open .xml, kinds outside of an opset as `set::kind`; and whether it has a .bin.

    `Malformed` if it is no IR, or a constant does not lie in the .bin.
    """
    reader = _read(file, size)
    layers = [layer for graph in reader.graphs for layer in graph.layers.values()]
    held = _check_weights(path, path.with_suffix(".bin"), [layer for layer in layers if layer.kind == "Const"])
    return [(layer.version, layer.kind, layer.name) for layer in layers], held is not None


def _assess(path: Path, size: int, reader: _Reader) -> Assessment:
    main = reader.graphs[-1]
    results = [(key, layer) for key, layer in main.layers.items() if layer.kind == "Result"]
    if not results:
        raise Malformed("it has no results")
    constants = [layer for graph in reader.graphs for layer in graph.layers.values() if layer.kind == "Const"]
    weights_file = path.with_suffix(".bin")
    held = _check_weights(path, weights_file, constants)
    weights: Counter[str] = Counter()
    for layer in constants:
        weights[_dtype(layer.type)] += prod(layer.shape)
    kinds = Counter(layer.kind for graph in reader.graphs for layer in graph.layers.values())
    operators = {kind: count for kind, count in kinds.most_common() if kind not in ("Const", "Parameter", "Result")}
    own, nested = Counter[str](), Counter[str]()
    for graph in reader.graphs:
        (nested if graph.nested else own).update(_weighted(graph))
    return Assessment(
        path=str(path),
        format="openvino_ir",
        files=[str(path), *([str(weights_file)] if held is not None else [])],
        bytes=size + (held or 0),
        architecture=_architecture(set(operators), reader.graphs),
        parameters=sum(weights.values()),
        weights=dict(weights.most_common()),
        operators=operators,
        weighted_operators=dict((own + nested).most_common()),
        nested_operators=dict(nested.most_common()),
        inputs=[_input(layer) for layer in main.layers.values() if layer.kind == "Parameter"],
        outputs=[_output(key, layer, main) for key, layer in results],
        opset={"ir": _number(reader.version)},
        producer=f"OpenVINO {reader.producer}".strip(),
        quantized=any(_quantized(graph) for graph in reader.graphs),
        largest_matrix=max((layer.shape for layer in constants if len(layer.shape) >= 2), key=prod, default=[]),
    )


def _check_weights(path: Path, file: Path, constants: list[_Layer]) -> int | None:
    """Bytes of the .bin, None if there is none and none is needed; every constant must lie in it and have its size."""
    held = file.stat().st_size if file.is_file() else None
    if held is None and constants:
        raise NotMeasured("model", f"{path}: its weights are in '{file.name}', which is not there. Put both files together.")
    for layer in constants:
        start, size = (_number(layer.data.get(key, ""), PAST_END) for key in ("offset", "size"))
        if start + size > (held or 0):
            said = f"the constant '{layer.name[:80]}' ends beyond the {held} bytes of '{file.name}': it is cut short"
            raise Malformed(said, PAST_END)
        bits = DTYPES.get(layer.type, ("", 0))[1]
        expected = (prod(layer.shape) * bits + 7) // 8
        # Of a constant without elements, as folding leaves them where shapes are dynamic, OpenVINO writes one byte.
        if bits and size != expected and (expected or size != 1):
            said = f"the constant '{layer.name[:80]}' has {size} bytes, which its shape and type do not take"
            raise Malformed(said, PAST_END)
    return held


def _weighted(graph: _Graph) -> Counter[str]:
    """Operators whose weight is a constant floating-point matrix or kernel; what is folded counts as constant."""
    matrices = {k for k, a in graph.layers.items() if a.kind == "Const" and a.type in FLOATS and len(a.shape) >= 2}
    kinds: dict[str, str] = {}
    for source, target, port in _edges(graph):
        kind = graph.layers[target].kind
        if source not in matrices:
            continue
        if kind in FOLDED and port == "0":
            matrices.add(target)
        elif kind in WEIGHTED and (kind != "Gather" or port == "0"):
            kinds[target] = kind
    return Counter(kinds.values())


def _quantized(graph: _Graph) -> bool:
    """Whether values are rounded on purpose, or weights are widened from few bits before they are used."""
    if any(layer.kind in ("FakeQuantize", "FakeConvert") for layer in graph.layers.values()):
        return True
    layers = graph.layers
    return any(
        layers[source].kind == "Const" and layers[source].type in NARROW and layers[target].kind == "Convert"
        for source, target, _ in _edges(graph)
    )


def _edges(graph: _Graph) -> list[tuple[str, str, str]]:
    """(from layer, to layer, to port), in the order of the receiving layers."""
    order = {key: i for i, key in enumerate(graph.layers)}
    for source, _, target, _ in graph.edges:
        if source not in order or target not in order:
            raise Malformed("an edge names a layer that is not there")
    return [(s, t, p) for s, _, t, p in sorted(graph.edges, key=lambda edge: order[edge[2]])]


def _architecture(kinds: set[str], graphs: list[_Graph]) -> str:
    if any("MOE" in kind.upper() for kind in kinds):
        return "mixture_of_experts"
    attends = any(
        graph.layers[source].kind == "SoftMax" and graph.layers[target].kind == "MatMul"
        for graph in graphs
        for source, target, _ in _edges(graph)
    )
    if attends or kinds & {"ScaledDotProductAttention", "PagedAttentionExtension"}:
        return "transformer"
    for architecture, marks in (
        ("recurrent", {kind for kind in WEIGHTED if kind.endswith(("Sequence", "Cell"))}),
        ("cnn", {kind for kind in WEIGHTED if "Convolution" in kind}),
        ("mlp", {"MatMul"}),
    ):
        if kinds & marks:
            return architecture
    return "other"


def _input(layer: _Layer) -> TensorInfo:
    shape = layer.data.get("shape", "")
    dims: list[int | str | None] = [] if shape in ("", "...") else [_dimension(d) for d in shape.split(",")]
    name, scalar = _name(layer.names.values(), layer.name), layer.data.get("shape") == ""  # `...` where the rank is not known
    return TensorInfo(name=name, dtype=_dtype(layer.type), shape=dims, scalar=scalar)


def _output(key: str, layer: _Layer, graph: _Graph) -> TensorInfo:
    names = list(layer.names.values())
    if not names:  # older files name the tensor that the result takes, not the result
        names = [graph.layers[s].names.get(port, "") for s, port, t, _ in graph.edges if t == key and s in graph.layers]
    dtype = layer.precision.lower().replace("fp", "f").replace("bool", "boolean")
    return TensorInfo(name=_name(names, layer.name), dtype=_dtype(dtype), shape=layer.dims)


def _name(lists: Iterable[str], otherwise: str) -> str:
    """A tensor's name; of several the first in the alphabet, as the session chooses. A comma in a name is `\\,`."""
    names = [n.replace("\\,", ",") for listed in lists for n in re.split(r"(?<!\\),", listed) if n]
    return min(names, default=otherwise)


def _dtype(element_type: str) -> str:
    return DTYPES.get(element_type, ("unknown", 0))[0]


def _dimension(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\s*[0-9]{1,18}\s*", text) else None


def _number(text: str, lie: str = "") -> int:
    if not re.fullmatch(r"\s*[0-9]{1,18}\s*", text):
        raise Malformed(f"'{text[:80]}' stands where a number should", lie)
    return int(text)
