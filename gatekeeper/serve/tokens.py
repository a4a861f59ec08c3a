"""Tokens that a request holds, against those that the model has.

Runtimes differ on a token that is none: llama.cpp fails, ONNX Runtime counts it from the end or fails, OpenVINO answers. One that
is cut to 32 bits is answered as another. None of these is an answer to what was asked.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from gatekeeper.frameworks._spec import TextSpec
from gatekeeper.serve.tensors import BadRequest


def check_tokens(tokens: NDArray[Any], text: TextSpec) -> None:
    """`BadRequest` for int64 [1, n] that is empty, longer than the model's context, or has an id it does not know."""
    count = tokens.shape[1]
    if not count:
        raise BadRequest("the input 'tokens' is empty: there is nothing to go on with.")
    if text.context and count > text.context:
        raise BadRequest(f"the input 'tokens' has {count} tokens; the model takes {text.context}.")
    most = text.vocabulary - 1 if text.vocabulary else 2**31 - 1
    lowest, highest = int(tokens.min()), int(tokens.max())
    if lowest < 0 or highest > most:
        wrong = lowest if lowest < 0 else highest
        raise BadRequest(f"the input 'tokens' has the id {wrong}; the model knows 0 to {most}.")
