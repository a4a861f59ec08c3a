"""Requests as they come in, and every lie they can tell."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gatekeeper.serve.config import TensorMetadata
from gatekeeper.serve.tensors import NUMPY, BadRequest, read, write

X = [TensorMetadata(name="x", datatype="FP32", shape=[-1, 4])]
Y = [TensorMetadata(name="y", datatype="FP32", shape=[-1, 4])]


def body(**changes: Any) -> bytes:
    """A good request for X, with what differs."""
    given = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4.5]} | changes
    return json.dumps({"inputs": [{k: v for k, v in given.items() if v is not None}]}).encode()


def test_flat_and_nested_data_are_the_same() -> None:
    for data in ([1, 2, 3, 4.5], [[1, 2, 3, 4.5]], [[[1], [2], [3], [4.5]]]):
        _, feed = read(body(data=data), None, X, Y)
        assert feed["x"].tolist() == [[1, 2, 3, 4.5]] and feed["x"].dtype == np.float32


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"", "not an inference request"),
        (b"[]", "not an inference request"),
        (b"\xff\xfe{}", "not an inference request"),
        (b'{"inputs": [], "inputs": []}', "'x' is missing"),
        (b'{"inputs": ' + b"[" * 100_000, "not an inference request"),
        (b'{"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": ' + b"[" * 900 + b"]" * 900 + b"}]}", "x"),
        (body(name="z"), "no input 'z'"),
        (body(datatype="FP64"), "is 'FP64'; the model takes FP32"),
        (body(shape=[4]), "1 axes"),
        (body(shape=[1] * 99), "99 axes"),
        (body(shape=[1, 5]), "the model takes"),
        (body(shape=[-1, 4]), "the model takes"),
        (body(shape=[2**40, 4]), "elements, not 4"),
        (body(shape=[2**63, 4]), "elements, not 4"),
        (body(shape=[1.5, 4]), "not an inference request"),
        (body(shape=[0, 4]), "takes 0 elements, not 4"),
        (body(data=[1, 2, 3]), "takes 4 elements, not 3"),
        (body(data=[1, 2, 3, "4"]), "something else"),
        (body(data=[1, 2, 3, None]), "something else"),
        (body(data=[1, 2, 3, True]), "something else"),
        (body(data=[1, 2, [3, 4]]), "mixes lists and elements"),
        (body(data=[[1, 2, 3, 4], []]), "the lists of its data differ in length"),
        (body(data=[1, 2, 3, 10**400]), ""),
        (body(data=None), "has no `data`"),
        (body().replace(b"4.5", b"NaN"), "not an inference request"),
        (body(parameters={"binary_data_size": 16}), "both"),
        (body(data=None, parameters={"binary_data_size": 16}), "0 are left"),
        (body(data=None, parameters={"binary_data_size": -1}), "claims -1 bytes"),
        (body(data=None, parameters={"binary_data_size": 2**62}), "claims"),
        (body()[:-1] + b', "outputs": [{"name": "q"}]}', "no output 'q'"),
        (body()[:-1] + b', "outputs": [{"name": "y"}, {"name": "y"}]}', "'y' is asked for twice"),
        (body()[:-1] + b', "outputs": [{"name": "y", "parameters": {"classification": 3}}]}', "classification"),
    ],
)  # fmt: skip
def test_what_is_not_so_is_refused(bad: bytes, said: str) -> None:
    with pytest.raises(BadRequest) as found:
        read(bad, None, X, Y)
    assert said in str(found.value) and found.value.status == 400


def test_an_input_that_comes_twice_is_refused() -> None:
    twice = json.loads(body())
    twice["inputs"] *= 2
    with pytest.raises(BadRequest, match="given twice"):
        read(json.dumps(twice).encode(), None, X, Y)


def binary(tail: bytes, size: int, shape: tuple[int, ...] = (1, 4)) -> tuple[bytes, str]:
    head = body(data=None, shape=list(shape), parameters={"binary_data_size": size})
    return head + tail, str(len(head))


@pytest.mark.parametrize(
    ("tail", "size", "said"),
    [
        (b"\0" * 15, 16, "15 are left"),
        (b"\0" * 17, 16, "1 bytes follow"),
        (b"\0" * 12, 12, "takes 16 bytes, not 12"),
        (b"\0" * 16, 12, "takes 16 bytes, not 12"),
    ],
)
def test_binary_lengths_that_lie_are_refused(tail: bytes, size: int, said: str) -> None:
    whole, head = binary(tail, size)
    with pytest.raises(BadRequest, match=said):
        read(whole, head, X, Y)


@pytest.mark.parametrize("head", ["-1", "1e3", "99999", "²", "", "9" * 50])
def test_a_header_length_that_lies_is_refused(head: str) -> None:
    with pytest.raises(BadRequest):
        read(body(), head, X, Y)


def test_a_length_of_text_that_lies_is_refused() -> None:
    words = [TensorMetadata(name="x", datatype="BYTES", shape=[-1])]
    head = json.dumps(
        {"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 6}}]}
    ).encode()
    for tail, said in ((b"\xff\xff\xff\xffab", "more than are left"), (b"\x02\0\0\0\xff\xff", "not UTF-8")):
        with pytest.raises(BadRequest, match=said):
            read(head + tail, str(len(head)), words, Y)


@settings(deadline=None, max_examples=150)
@given(st.data(), st.sampled_from(sorted(NUMPY)), st.booleans())
def test_every_type_comes_back_as_it_went(data: st.DataObject, datatype: str, in_binary: bool) -> None:
    finite: dict[str, Any] = {} if in_binary or "FP" not in datatype else {"allow_nan": False, "allow_infinity": False}
    elements = arrays.from_dtype(NUMPY[datatype], **finite)
    array = data.draw(arrays.arrays(NUMPY[datatype], arrays.array_shapes(min_dims=1, max_dims=4, max_side=5), elements=elements))
    about = [TensorMetadata(name="x", datatype=datatype, shape=[-1] * array.ndim)]
    asked = {"name": "x", "parameters": {"binary_data": in_binary}}
    request, _ = read(_request(array, datatype, asked), None, about, about)
    parts, length = write(request, "m", "1", {"x": array})
    answer = json.loads(parts[0])["outputs"][0]
    given_back = {k: v for k, v in answer.items() if k != "name"} | {"name": "x"}
    again = json.dumps({"inputs": [given_back]}).encode()
    _, feed = read(again + b"".join(parts[1:]), str(len(again)) if length else None, about, about)
    np.testing.assert_array_equal(feed["x"], array)
    assert feed["x"].dtype == array.dtype


def _request(array: Any, datatype: str, asked: dict[str, Any]) -> bytes:
    zeros = np.zeros(array.shape, NUMPY[datatype]).ravel().tolist()
    given_input = {"name": "x", "shape": list(array.shape), "datatype": datatype, "data": zeros}
    return json.dumps({"inputs": [given_input], "outputs": [asked]}).encode()


def test_json_cannot_say_nan_and_binary_can() -> None:
    request, _ = read(body(), None, X, Y)
    with pytest.raises(BadRequest, match="binary_data") as found:
        write(request, "m", "1", {"y": np.array([[np.nan]], np.float32)})
    assert found.value.status == 422
