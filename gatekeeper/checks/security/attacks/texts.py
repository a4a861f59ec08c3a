"""Requests for text that are none, or want too much."""

from __future__ import annotations

import json
from typing import Any

from gatekeeper.checks.security.base import Attack
from gatekeeper.checks.security.victim import Victim
from gatekeeper.serve.behind import NAME

WAYS = ("generate", "generate_stream")


def _bodies() -> dict[str, Any]:
    hostile: dict[str, list[Any]] = {
        "max_tokens": [-1, 1 << 31, 1 << 63, 10**30, 1.5, "5", [], True],
        "temperature": ["hot", [], {}],
        "stop": ["x", [1], [None], 5],
    }
    bodies: dict[str, Any] = {
        f"{key} {value!r}": {"text_input": "x", "parameters": {key: value}} for key, values in hostile.items() for value in values
    }
    texts: tuple[Any, ...] = (None, 5, [], {}, ["x"], True)
    return bodies | {f"the text {text!r}": {"text_input": text} for text in texts} | {"no text": {}, "a list": [], "a number": 5}


def no_texts(victim: Victim) -> int:
    """Requests for text that are none, whole and as a stream; of a model that writes no text, whatever is asked."""
    count = 0
    for way in WAYS:
        path = f"/v2/models/{NAME}/{way}"
        for label, body in _bodies().items():
            victim.refused(f"{way}: {label}", json.dumps(body).encode(), path=path)
            count += 1
        for body in (b"", b"{", b"\xff", b"[" * 100_000, b'{"text_input": "\xff"}', b'{"text_input": "\\ud800"}'):
            victim.refused(f"{way}: the body {body[:20]!r}", body, path=path)
            count += 1
    return count


def long_texts(victim: Victim) -> int:
    """Prompts and stop words without end, and texts of odd characters."""
    texts = {
        "a million letters": ("x" * 1_000_000, {}),
        "100,000 words": ("the " * 100_000, {}),
        "100,000 stop words": ("x", {"stop": ["y"] * 100_000, "max_tokens": 2}),
        "zeros": ("\0" * 1000, {"max_tokens": 2}),
        "odd characters": ("\u202e\U000e0041\ufffe\x1b[31m", {"max_tokens": 2}),
    }
    for label, (text, parameters) in texts.items():
        for way in WAYS:
            body = json.dumps({"text_input": text, "parameters": parameters}).encode()
            victim.handled(f"{way}: {label}", body, path=f"/v2/models/{NAME}/{way}")
    return len(texts) * len(WAYS)


ATTACKS = (
    Attack("no_texts", "basic", no_texts),
    Attack("long_texts", "comprehensive", long_texts, models="text"),
)
