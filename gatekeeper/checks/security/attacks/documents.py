"""Bodies that are no JSON, or JSON that nobody should write."""

from __future__ import annotations

import json

from gatekeeper.checks.security.base import Attack
from gatekeeper.checks.security.victim import Victim

DEPTH = 100_000


def not_json(victim: Victim) -> int:
    """Bytes that are no request."""
    bodies = [
        b"", b" ", b"{", b"}", b"[]", b"5", b"null", b'"x"', b"\0", b"\xff\xfe\xfd", b"\xef\xbb\xbf{}", b"\x80" * 1000, b"{}{}",
        b"{'inputs': []}", b"inputs=1&data=2", b"<inputs/>", victim.document() + b"x", victim.document()[:-1],
        b"\x1f\x8b\x08\0" * 9,
    ]  # fmt: skip
    for body in bodies:
        victim.refused(f"the body {body[:20]!r}", body)
    latin = victim.document().replace(b'"name": "', b'"name": "\xe9', 1)
    victim.refused("a body that is not UTF-8", latin)
    victim.refused("a body that says it is gzip", b"\x1f\x8b\x08\0garbage", {"Content-Encoding": "gzip"})
    return len(bodies) + 2


def deep_json(victim: Victim) -> int:
    """A hundred thousand brackets, in every place."""
    opened, closed = b"[" * DEPTH, b"]" * DEPTH
    nested = {
        "brackets that stay open": opened,
        "brackets": opened + closed,
        "braces": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
        "brackets for inputs": b'{"inputs":' + opened + closed + b"}",
        "brackets for data": victim.tensor(data="@").replace(b'"@"', opened + closed),
        "brackets for a shape": victim.tensor(shape="@").replace(b'"@"', opened + closed),
    }
    for label, body in nested.items():
        victim.refused(label, body)
    victim.handled("brackets in what is not read", victim.document(more="@").replace(b'"@"', opened + closed))
    return len(nested) + 1


def odd_numbers(victim: Victim) -> int:
    """NaN and infinity, which JSON does not know, and numbers that take long to read."""
    size = len(victim.good["inputs"][0]["data"])
    digits = b"9" * 200_000
    for number in (b"NaN", b"Infinity", b"-Infinity", b"nan", b"0x10", b"+1", b"1.", b".5", b"01", b"1e", b"--1"):
        victim.refused(f"the number {number.decode()}", victim.tensor(data=["@"] * size).replace(b'"@"', number))
    for number in (b"1e400", b"-1e400", b"1e-400", b"1e999999999"):
        victim.handled(f"the number {number.decode()}", victim.tensor(data=["@"] * size).replace(b'"@"', number))
    victim.handled("a number of 200,000 digits", victim.tensor(data=["@"] + [0] * (size - 1)).replace(b'"@"', digits))
    victim.refused("a dimension of 200,000 digits", victim.tensor(shape=["@"]).replace(b'"@"', digits))
    victim.handled("200,000 decimals", victim.tensor(data=["@"] + [0] * (size - 1)).replace(b'"@"', b"0." + digits))
    return 18


def repeated_keys(victim: Victim) -> int:
    """Keys that come twice: whichever counts, the answer is one of the two."""
    good = victim.document().strip()[1:-1]
    bodies = {
        "inputs, then none": b"{" + good + b', "inputs": []}',
        "none, then inputs": b'{"inputs": [], ' + good + b"}",
        "100,000 times an id": b"{" + b'"id": "x", ' * 100_000 + good + b"}",
        "100,000 keys": b"{" + b"".join(b'"k%d": 0, ' % i for i in range(100_000)) + good + b"}",
    }
    for label, body in bodies.items():
        victim.handled(label, body)
    return len(bodies)


def odd_texts(victim: Victim) -> int:
    """Texts that want out of where they are put."""
    texts = ["\0", "\ud800", "\r\n\r\nHTTP/1.1 200 OK", "%s%n", "{}", "<script>", "../" * 1000, "\x1b[31m", "\u202e", "$(id)"]
    for text in texts:
        victim.refused(f"a name {text[:10]!r}", victim.tensor(name=text))
        victim.handled(f"an id {text[:10]!r}", victim.document(id=text))
    victim.refused("an id that is a list", json.dumps(victim.good | {"id": [1]}).encode())
    return 2 * len(texts) + 1


ATTACKS = (
    Attack("not_json", "basic", not_json),
    Attack("deep_json", "basic", deep_json),
    Attack("odd_numbers", "basic", odd_numbers),
    Attack("repeated_keys", "basic", repeated_keys),
    Attack("odd_texts", "basic", odd_texts),
)
