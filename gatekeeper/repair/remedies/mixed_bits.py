"""More bits where it matters most, and only there."""

from __future__ import annotations

from gatekeeper.repair.edits import Change
from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, known, other

DESCRIPTION = "More bits for the kinds of matrices that matter most, and only for them."
CAUSE = "A few kinds of matrices lose most of the accuracy, and are a small part of the weights."
FAILURES, COST = ("accuracy",), 4
KINDS = (("attn_v",), ("attn_v", "ffn_down"), ("attn_v", "ffn_down", "attn_output"))


def propose(failing: Failing) -> Proposals:
    """One kind more at a time; elsewhere the technique that mixes."""
    if failing.place.framework != "llama_cpp":
        yield from other(failing, "int4_mixed")
        return
    already = known(failing, "tensors")
    for kinds in KINDS:
        yield Change(options={"tensors": {**dict.fromkeys(kinds, "q8_0"), **already}})
