"""Requests and answers of the Open Inference Protocol v2, as JSON and with its binary tensor extension.

Nothing is allocated before its size is known to be that of the bytes that came: whatever a request claims of itself
that is not so is a `BadRequest`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gatekeeper.serve.config import TensorMetadata

Feed = dict[str, NDArray[Any]]

NUMPY = {
    "BOOL": np.dtype(np.bool_), "INT8": np.dtype("<i1"), "INT16": np.dtype("<i2"), "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"), "UINT8": np.dtype("<u1"), "UINT16": np.dtype("<u2"), "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"), "FP16": np.dtype("<f2"), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8"),
}  # fmt: skip
PROTOCOL = {dtype: name for name, dtype in NUMPY.items()}

MOST_AXES = 32
SIZE_HEADER = "inference-header-content-length"


class BadRequest(Exception):
    """The client's mistake, in words; `status` is the HTTP status that says so."""

    def __init__(self, message: str, status: int = 400):
        self.status = status
        super().__init__(message)


class TensorParameters(msgspec.Struct, frozen=True):
    """Parameters of the binary tensor extension; others are ignored, as the protocol has it."""

    binary_data_size: int | None = None
    binary_data: bool | None = None
    classification: int | None = None


class TensorInput(msgspec.Struct, frozen=True):
    """`request_input` of the protocol."""

    name: str
    shape: list[int]
    datatype: str
    parameters: TensorParameters = TensorParameters()
    data: list[Any] | None = None


class TensorOutput(msgspec.Struct, frozen=True):
    """`request_output` of the protocol."""

    name: str
    parameters: TensorParameters = TensorParameters()


class RequestParameters(msgspec.Struct, frozen=True):
    """Parameters of the whole request."""

    binary_data_output: bool = False


class InferRequest(msgspec.Struct, frozen=True):
    """`inference_request` of the protocol."""

    inputs: list[TensorInput]
    id: str | None = None
    parameters: RequestParameters = RequestParameters()
    outputs: list[TensorOutput] | None = None


_DECODER = msgspec.json.Decoder(InferRequest)


def read(
    body: bytes, header_size: str | None, model: Sequence[TensorMetadata], outputs: Sequence[TensorMetadata]
) -> tuple[InferRequest, Feed]:
    """A request's description and its tensors, checked against the model's inputs."""
    head, rest = _split(body, header_size)
    try:
        request = _DECODER.decode(head)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not an inference request: {error}") from None
    except RecursionError:
        raise BadRequest("the body is not an inference request: its lists are nested too deeply") from None
    known = {tensor.name: tensor for tensor in model}
    feed: Feed = {}
    offset = 0
    for given in request.inputs:
        if given.name not in known:
            raise BadRequest(f"the model has no input {given.name[:100]!r}. It has {', '.join(known)}.")
        if given.name in feed:
            raise BadRequest(f"the input {given.name!r} is given twice.")
        count = _elements(given, known[given.name])
        size = given.parameters.binary_data_size
        if size is None:
            feed[given.name] = _from_json(given, count)
            continue
        if given.data is not None:
            raise BadRequest(f"the input {given.name!r} has both `data` and `binary_data_size`. Send one of them.")
        if not 0 <= size <= len(rest) - offset:
            raise BadRequest(f"the input {given.name!r} claims {size} bytes; {len(rest) - offset} are left in the body.")
        feed[given.name] = _from_bytes(given, count, rest[offset : offset + size])
        offset += size
    if missing := [name for name in known if name not in feed]:
        raise BadRequest(f"the input {missing[0]!r} is missing.")
    if offset != len(rest):
        raise BadRequest(f"{len(rest) - offset} bytes follow the last tensor.")
    _check_outputs(request, {tensor.name for tensor in outputs})
    return request, feed


def _split(body: bytes, header_size: str | None) -> tuple[bytes, memoryview]:
    if header_size is None:
        return body, memoryview(b"")
    if not (header_size.isascii() and header_size.isdigit() and len(header_size) < 12):
        raise BadRequest(f"Inference-Header-Content-Length is {header_size[:40]!r}, not a whole number.")
    size = int(header_size)
    if size > len(body):
        raise BadRequest(f"Inference-Header-Content-Length is {size}; the body has {len(body)} bytes.")
    return body[:size], memoryview(body)[size:]


def _elements(given: TensorInput, tensor: TensorMetadata) -> int:
    """How many elements a tensor claims; its type and its axes must be the model's."""
    if given.datatype != tensor.datatype:
        raise BadRequest(f"the input {given.name!r} is {given.datatype[:40]!r}; the model takes {tensor.datatype}.")
    shape = given.shape
    if len(shape) > MOST_AXES or len(shape) != len(tensor.shape):
        raise BadRequest(f"the input {given.name!r} has {len(shape)} axes; the model takes {len(tensor.shape)}: {tensor.shape}.")
    for size, fixed in zip(shape, tensor.shape, strict=True):
        if size < 0 or fixed not in (-1, size):
            raise BadRequest(f"the input {given.name!r} has shape {shape}; the model takes {tensor.shape}.")
    return math.prod(shape)


def _from_bytes(given: TensorInput, count: int, data: memoryview) -> NDArray[Any]:
    if given.datatype == "BYTES":
        return _strings(given, count, bytes(data))
    dtype = _dtype(given)
    if count * dtype.itemsize != len(data):
        raise BadRequest(
            f"the input {given.name!r} of shape {given.shape} takes {count * dtype.itemsize} bytes, not {len(data)}."
        )
    if given.datatype == "BOOL":
        truth: NDArray[Any] = np.frombuffer(data, np.uint8).astype(bool)
        return truth.reshape(given.shape)
    return np.frombuffer(data, dtype).reshape(given.shape)


def _strings(given: TensorInput, count: int, data: bytes) -> NDArray[Any]:
    """BYTES: each element is its length in four bytes, and as many bytes."""
    elements: list[bytes] = []
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        if at + 4 + size > len(data):
            raise BadRequest(f"the input {given.name!r}: an element claims {size} bytes, more than are left.")
        elements.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return _as_strings(given, count, elements)


def _as_strings(given: TensorInput, count: int, elements: list[bytes]) -> NDArray[Any]:
    if len(elements) != count:
        raise BadRequest(f"the input {given.name!r} of shape {given.shape} takes {count} elements, not {len(elements)}.")
    try:
        return np.array([each.decode() for each in elements], dtype=object).reshape(given.shape)
    except UnicodeDecodeError as error:
        raise BadRequest(f"the input {given.name!r}: an element is not UTF-8 text ({error.reason}).") from None


def _from_json(given: TensorInput, count: int) -> NDArray[Any]:
    if given.data is None:
        raise BadRequest(f"the input {given.name!r} has no `data`.")
    flat = _flat(given, given.data, count)
    if given.datatype == "BYTES":
        if not all(isinstance(each, str) for each in flat):
            raise BadRequest(f"the input {given.name!r} is BYTES; its data must be text.")
        return _as_strings(given, count, [each.encode("utf-8", "surrogatepass") for each in flat])
    dtype = _dtype(given)
    allowed: tuple[type, ...] = (bool,) if given.datatype == "BOOL" else (int, float) if "FP" in given.datatype else (int,)
    if not all(type(each) in allowed for each in flat):
        raise BadRequest(f"the input {given.name!r} is {given.datatype}; an element of its data is something else.")
    try:
        with np.errstate(over="ignore"):
            return np.array(flat, dtype=dtype).reshape(given.shape)
    except (OverflowError, ValueError) as error:
        raise BadRequest(f"the input {given.name!r}: {error}.") from None


def _flat(given: TensorInput, data: list[Any], count: int) -> list[Any]:
    """The elements of flat or nested data, which must be `count`."""
    elements: list[Any] = data
    for _ in range(MOST_AXES):
        if not any(isinstance(each, list) for each in elements):
            break
        if not all(isinstance(each, list) for each in elements):
            raise BadRequest(f"the input {given.name!r}: its data mixes lists and elements.")
        if len({len(each) for each in elements}) > 1:
            raise BadRequest(f"the input {given.name!r}: the lists of its data differ in length.")
        elements = [each for inner in elements for each in inner]
    if len(elements) != count:
        raise BadRequest(f"the input {given.name!r} of shape {given.shape} takes {count} elements, not {len(elements)}.")
    return elements


def _dtype(given: TensorInput) -> np.dtype[Any]:
    if given.datatype not in NUMPY:
        raise BadRequest(f"the input {given.name!r}: {given.datatype} is not served. Use {', '.join(NUMPY)} or BYTES.")
    return NUMPY[given.datatype]


def _check_outputs(request: InferRequest, known: set[str]) -> None:
    once = set[str]()
    for asked in request.outputs or []:
        if asked.name in once:  # else a small request has an answer of any size
            raise BadRequest(f"the output {asked.name!r} is asked for twice.")
        once.add(asked.name)
        if asked.name not in known:
            raise BadRequest(f"the model has no output {asked.name[:100]!r}. It has {', '.join(sorted(known))}.")
        if asked.parameters.classification:
            raise BadRequest("the classification extension is not served. Ask for the output itself.")


def write(request: InferRequest, name: str, version: str, answer: Mapping[str, NDArray[Any]]) -> tuple[list[bytes], int | None]:
    """(parts of the body, length of its JSON where tensors follow it in binary)."""
    binary = {o.name: o.parameters.binary_data for o in request.outputs or []}
    outputs, blobs = [], []
    for output in request.outputs or [TensorOutput(each) for each in answer]:
        array = answer[output.name]
        datatype = "BYTES" if array.dtype.kind in "OSU" else PROTOCOL.get(array.dtype.newbyteorder("<"), "")
        if not datatype:
            raise TypeError(f"the output {output.name} is {array.dtype}, which the protocol has no name for")
        said: dict[str, Any] = {"name": output.name, "datatype": datatype, "shape": list(array.shape)}
        asked = binary.get(output.name)
        if request.parameters.binary_data_output if asked is None else asked:
            blobs.append(_to_bytes(array))
            said["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            said["data"] = [str(each) for each in array.ravel()] if datatype == "BYTES" else _finite(output.name, array)
        outputs.append(said)
    head: dict[str, Any] = {"model_name": name, "model_version": version, "outputs": outputs}
    if request.id is not None:
        head["id"] = request.id
    text = msgspec.json.encode(head)
    return [text, *blobs], len(text) if blobs else None


def _finite(name: str, array: NDArray[Any]) -> list[Any]:
    """JSON knows neither NaN nor infinity."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BadRequest(f"the output {name!r} holds NaN or infinity, which JSON cannot say. Ask for it with binary_data.", 422)
    numbers: list[Any] = array.ravel().tolist()
    return numbers


def _to_bytes(array: NDArray[Any]) -> bytes:
    if array.dtype.kind in "OSU":
        parts = [each if isinstance(each, bytes) else str(each).encode() for each in array.ravel()]
        return b"".join(len(each).to_bytes(4, "little") + each for each in parts)
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
