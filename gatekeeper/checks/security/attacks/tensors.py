"""Tensors that are not what they say they are."""

from __future__ import annotations

import json
import struct
from typing import Any

from gatekeeper.checks.security.base import Attack
from gatekeeper.checks.security.victim import SIZE, Victim

DATATYPES = ("BOOL", "INT8", "INT32", "INT64", "UINT8", "UINT64", "FP16", "FP32", "FP64", "BYTES")
UNKNOWN: tuple[Any, ...] = ("FP31", "fp32", "", "FP32\0", "A" * 100_000, 5, [], {}, True)
BIG = 1 << 62


def wrong_types(victim: Victim) -> int:
    """Every other element type, and some that are none."""
    count = 0
    for i, tensor in enumerate(victim.inputs):
        others = [datatype for datatype in DATATYPES if datatype != tensor.datatype]
        for datatype in (*others, *UNKNOWN):
            victim.refused(f"{tensor.name} as {str(datatype)[:20]!r}", victim.tensor(i, datatype=datatype))
            count += 1
    return count


def wrong_elements(victim: Victim) -> int:
    """Data that holds something else than numbers, or than texts."""
    given = victim.good["inputs"][0]
    size = len(given["data"])
    elements: list[Any] = [None, {}, {"a": 1}, [[]], [1, [2]]]
    elements += ["x", "1"] if victim.inputs[0].datatype != "BYTES" else [1]
    for element in elements:
        victim.refused(f"an element {element!r}", victim.tensor(data=[element] * size))
    others: list[Any] = [[], given["data"] + [0], [given["data"], given["data"][:-1]], [given["data"], 0], 5, "data", {}]
    for data in others:
        victim.refused(f"data {str(data)[:30]}", victim.tensor(data=data))
    return len(elements) + len(others)


def hostile_shapes(victim: Victim) -> int:
    """Dimensions that are negative, too many, too large together, or no numbers."""
    shape = victim.good["inputs"][0]["shape"]
    shapes: list[Any] = [
        [-1], [-1, *shape[1:]], [0, *shape[1:], 5], [BIG, *shape[1:]], [1 << 32, 1 << 32], [1 << 63], [10**30], [-(1 << 63)],
        [1 << 31] * 8, [1.5, *shape[1:]], ["1", *shape[1:]], [None], [shape], [], [*shape, 1], [1] * 33, [1] * 100_000,
        [0] * 40, "shape", 5, {}, [True],
    ]  # fmt: skip
    shapes += [[65536] * len(shape), [BIG] * len(shape), [*shape[:-1], BIG]]
    count = 0
    for hostile in shapes:
        if hostile == shape:
            continue
        victim.refused(f"the shape {str(hostile)[:40]}", victim.tensor(shape=hostile))
        count += 1
    return count


def _binary(victim: Victim, size: Any, blob: bytes, head: Any = None, **changes: Any) -> tuple[bytes, dict[str, str]]:
    """The good request with its first tensor in binary, of a length that it states as `size`."""
    given = [dict(tensor) for tensor in victim.good["inputs"]]
    del given[0]["data"]
    given[0] |= {"parameters": {"binary_data_size": size}} | changes
    text = json.dumps(victim.good | {"inputs": given}).encode()
    stated = len(text) if head is None else head
    return text + blob, {"Content-Type": "application/octet-stream", SIZE: str(stated)}


def _blob(victim: Victim) -> bytes:
    """The good request's first tensor in binary."""
    import numpy as np

    from gatekeeper.serve.tensors import NUMPY

    given = victim.good["inputs"][0]
    if given["datatype"] == "BYTES":
        texts = [text.encode() for text in given["data"]]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return bytes(np.asarray(given["data"]).astype(NUMPY[given["datatype"]]).tobytes())


def binary_lengths(victim: Victim) -> int:
    """Lengths of tensors that lie, in every direction."""
    blob = _blob(victim)
    size = len(blob)
    count = 0
    lies: list[Any] = [0, 1, size - 1, size + 1, 2 * size, -1, -size, 1 << 31, 1 << 63, 10**30, 1.5, str(size), True, [], {}]
    for stated in lies:
        body, headers = _binary(victim, stated, blob)
        victim.refused(f"binary_data_size {stated!r} of {size}", body, headers)
        count += 1
    for label, sent in (("cut", blob[:-1]), ("with a byte more", blob + b"\0"), ("empty", b"")):
        body, headers = _binary(victim, size, sent)
        victim.refused(f"a tensor {label}", body, headers)
        body, headers = _binary(victim, len(sent), sent)
        victim.refused(f"a tensor {label}, and stated so", body, headers)
    body, headers = _binary(victim, size, blob, data=victim.good["inputs"][0]["data"])
    victim.refused("a tensor both in binary and as JSON", body, headers)
    return count + 7


def header_lengths(victim: Victim) -> int:
    """Inference-Header-Content-Length that is wrong or no number."""
    blob = _blob(victim)
    text = len(_binary(victim, len(blob), blob)[0]) - len(blob)
    both = text + len(blob)
    hostile: list[Any] = [text - 1, text + 1, both, both + 1, 0, -1, 1 << 31, 1 << 64, "9" * 4000, "abc", "", "1e3"]
    hostile += [f"0x{text:x}", f"{text}, {text}", f"{text}.0", f"\xb2{text}"]
    for head in hostile:
        body, headers = _binary(victim, len(blob), blob, head)
        victim.refused(f"{SIZE} {headers[SIZE][:20]!r}", body, headers)
    return len(hostile)


def texts_as_tensors(victim: Victim) -> int:
    """BYTES whose elements state lengths that are not theirs."""
    blobs = [
        b"\xff\xff\xff\xff", b"\xff\xff\xff\x7fabc", b"\x05\0\0\0abc", b"\0\0\0", b"\x03\0\0\0\xff\xfe\xfd", b"\0\0\0\0" * 10_000,
    ]  # fmt: skip
    for blob in blobs:
        body, headers = _binary(victim, len(blob), blob, datatype="BYTES")
        victim.refused(f"BYTES of {blob[:8]!r}", body, headers)
    return len(blobs)


def many_tensors(victim: Victim) -> int:
    """Inputs and outputs that are missing, unknown, repeated, or thousands."""
    one = victim.good["inputs"][0]
    hostile: dict[str, bytes] = {
        "no inputs": victim.document(inputs=[]),
        "an input twice": victim.document(inputs=[*victim.good["inputs"], one]),
        "20,000 times an input": victim.document(inputs=[one | {"data": [], "shape": [0]}] * 20_000),
        "20,000 unknown inputs": victim.document(inputs=[one | {"name": f"x{i}", "data": []} for i in range(20_000)]),
        "an unknown input": victim.document(inputs=[*victim.good["inputs"], one | {"name": "../../etc/passwd"}]),
        "an unknown output": victim.document(outputs=[{"name": "../../etc/passwd"}]),
        "inputs by name": victim.document(inputs={one["name"]: one}),
        "inputs of null": victim.document(inputs=None),
        "an input that is a number": victim.document(inputs=[5]),
        "outputs that are a text": victim.document(outputs="y"),
        "a name that is a number": victim.tensor(name=5),
        "a name of a million letters": victim.tensor(name="x" * 1_000_000),
        "an input without a shape": victim.tensor(shape=None),
        "an input without a type": victim.tensor(datatype=None),
        "an input without data": victim.tensor(data=None),
    }
    for label, body in hostile.items():
        victim.refused(label, body)
    return len(hostile)


def outputs_repeated(victim: Victim) -> int:
    """A small request for the same output many thousand times: the answer must not grow without bound."""
    name = victim.expected[0]["name"]
    victim.refused("50,000 times an output", victim.document(outputs=[{"name": name}] * 50_000))
    return 1


def tokens_that_are_none(victim: Victim) -> int:
    """Ids that the vocabulary has not, and those that become one when cut to 32 bits; none, and more than the context holds."""
    text = victim.server.served.spec.text
    assert text is not None
    beyond = [text.vocabulary, 1000 + text.vocabulary] if text.vocabulary else []
    for wrong in (-1, -(1 << 31), *beyond, 1 << 31, (1 << 32) + 1, -(1 << 32), 1 << 62):
        victim.refused(f"the token {wrong}", victim.tensor(shape=[1, 2], data=[0, wrong]))
    victim.refused("no token", victim.tensor(shape=[1, 0], data=[]))
    if text.context:
        victim.refused(f"{text.context + 1} tokens", victim.tensor(shape=[1, text.context + 1], data=[0] * (text.context + 1)))
    return 8 + len(beyond) + bool(text.context)


ATTACKS = (
    Attack("wrong_types", "basic", wrong_types),
    Attack("wrong_elements", "basic", wrong_elements),
    Attack("hostile_shapes", "basic", hostile_shapes),
    Attack("binary_lengths", "basic", binary_lengths),
    Attack("header_lengths", "basic", header_lengths),
    Attack("texts_as_tensors", "basic", texts_as_tensors),
    Attack("many_tensors", "basic", many_tensors),
    Attack("outputs_repeated", "basic", outputs_repeated),
    Attack("tokens_that_are_none", "basic", tokens_that_are_none, models="text"),
)
