"""safetensors files: tensors that fill the file exactly, each once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from gatekeeper.models.formats._base import AMBIGUOUS, Malformed
from gatekeeper.models.safetensors import MAX_HEADER, read_header
from gatekeeper.scans._base import Rule, Saw, Seen

DESCRIPTION = "`.safetensors`: the header's length, and tensors that overlap, leave gaps or stand there twice."
ORDER = 10
RULES: dict[str, Rule] = {}


def takes(seen: Seen) -> bool:
    """By its name: it has no mark."""
    return seen.suffix == ".safetensors"


def scan(seen: Seen) -> Iterator[Saw]:
    """The header; its lies are what reading it raises."""
    with seen.opened() as file:
        read_header(file, seen.size)
        file.seek(0)
        length = min(int.from_bytes(file.read(8), "little"), MAX_HEADER)
        json.loads(file.read(length), object_pairs_hook=_once)
    yield from ()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different: of two, some readers take the first and others the last."""
    twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if twice:
        raise Malformed(f"{twice[0][:80]!r} stands there twice", AMBIGUOUS)
    return dict(pairs)
