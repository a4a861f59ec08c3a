"""The description that a server serves of itself, as the fuzzer takes it."""

from __future__ import annotations

from typing import Any

from gatekeeper.checks.asking import call_json
from gatekeeper.checks.outcome import Broken

MOST_TOKENS = 4
"""A text that is asked for must be short: what is tested is what is asked, not how fast the model writes."""


def described(address: str) -> dict[str, Any]:
    """An OpenAPI document; `Broken` where the server has none."""
    document = call_json(address, "/v2/openapi.json")
    try:
        document["components"]["schemas"]["TextParameters"]["properties"]["max_tokens"]["maximum"] = MOST_TOKENS
        paths = document["paths"]
        document["paths"] = {path: about for path, about in paths.items() if "/versions/" not in path}  # they are the same again
    except (KeyError, TypeError, AttributeError):
        raise Broken("what the server says it takes and answers is no description of it") from None
    return dict(document)
