"""The next technique of more bits."""

from __future__ import annotations

from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, Unsuited, other

DESCRIPTION = "A technique of more bits, the nearest first."
CAUSE = "So few bits are too few for this model, whatever is done with them."
FAILURES, COST = ("accuracy",), 4
LADDERS = (
    ("int4_weight_only", "int8_weight_only", "fp16"),
    ("int8_dynamic", "int8_weight_only", "fp16"),
    ("int8_static", "fp16"),
    ("q4_0", "q4_k_m", "q5_k_m", "q6_k", "q8_0", "f16"),
    ("q4_k_s", "q4_k_m", "q5_k_m", "q6_k", "q8_0", "f16"),
    ("int4", "int8"),
)


def propose(failing: Failing) -> Proposals:
    """All that are above it on its ladder."""
    now = failing.place.technique
    base, cache, kind = now.partition("_kv_")  # a technique of llama.cpp with a smaller KV cache keeps it
    above = next((ladder[ladder.index(base) + 1 :] for ladder in LADDERS if base in ladder), ())
    if not above:
        raise Unsuited(f"nothing is known of more bits than {now}")
    yield from other(failing, *(f"{each}{cache}{kind}" for each in above))
