"""Keys and values of earlier tokens in fewer bits."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, Unsuited, opened

DESCRIPTION = "llama.cpp's KV cache in 8 bits, then in 4."
CAUSE = "What is kept of earlier tokens takes more memory than the weights."
FAILURES, COST, FRAMEWORKS = ("memory",), 1, ("llama_cpp",)


def propose(failing: Failing) -> Proposals:
    """8 bits, then 4."""
    if "_kv_" in failing.place.technique:
        raise Unsuited(f"{failing.place.technique} says in its name which it has")
    for kind in ("q8_0", "q4_0"):
        yield opened(failing, "kv_cache", kind)
