"""A shorter context."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, Unsuited, opened, session

DESCRIPTION = "Half of the context, and half of that: memory for all of it is taken when a model is opened."
CAUSE = "The context is longer than the texts."
FAILURES, COST, FRAMEWORKS = ("memory",), 1, ("llama_cpp",)
LEAST = 256


def propose(failing: Failing) -> Proposals:
    """Halves, down to what llama.cpp takes least."""
    now = session(failing).get("context")
    if now is None:
        raise Unsuited("it is as long as each text needs already")
    sizes = [size for size in (now // 2, now // 4) if size >= LEAST and size % LEAST == 0]
    if not sizes:
        raise Unsuited(f"it has {now} tokens, and llama.cpp takes {LEAST} at least")
    for size in sizes:
        yield opened(failing, "context", size)
