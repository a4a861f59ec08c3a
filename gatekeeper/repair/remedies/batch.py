"""Fewer tokens of a prompt at once."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, opened

DESCRIPTION = "llama.cpp computes fewer tokens of a prompt at once: less memory for what is between layers, and more time."
CAUSE = "What is between layers is held for as many tokens as are computed at once."
FAILURES, COST, FRAMEWORKS = ("memory",), 1, ("llama_cpp",)


def propose(failing: Failing) -> Proposals:
    """A quarter, then a sixteenth."""
    for count in (128, 32):
        yield opened(failing, "batch", count)
