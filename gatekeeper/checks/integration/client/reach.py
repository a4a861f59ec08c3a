"""What the tests behind a server ask a client: a process that speaks HTTP to the server, and opens the same model to compare.

A process of its own, since tritonclient's event loop is nothing to have in the parent, and the session may crash.
"""

from __future__ import annotations

from typing import Any

from gatekeeper.data.feeds import Feed, read_feeds, read_prompts
from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.process.messages import Request

TIMEOUT_S = 60.0
MAX_SAID = 200
PROMPT_TOKENS = 24


class Reach(Request, frozen=True, kw_only=True):
    """Base of what asks a client: the server, and the same model in a session of the client's own to compare with."""

    url: str
    name: str
    spec: ModelSpec
    inputs: str  # .npz of feeds

    def feeds(self) -> list[Feed]:
        """What `run` takes; of a text model, the beginnings of its prompts."""
        return read_prompts(self.inputs, PROMPT_TOKENS) if self.spec.text else read_feeds(self.inputs)


def plain(answer: list[Any]) -> list[Any]:
    """Outputs as arrays."""
    import numpy as np

    return [np.asarray(each) for each in answer]


def unlike(answered: list[Any], expected: list[Any], names: tuple[str, ...]) -> str:
    """What differs first; empty where every output has the same type, shape and bits."""
    for name, ours, theirs in zip(names, answered, expected, strict=True):
        if ours is None:
            return f"the output {name} is missing"
        if theirs.dtype.kind in "OU":
            if [_as_text(each) for each in ours.ravel()] != [str(each) for each in theirs.ravel()]:
                return f"the output {name} is another text"
        elif (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
            return f"the output {name} is {ours.dtype}{list(ours.shape)}, and the session's {theirs.dtype}{list(theirs.shape)}"
        elif ours.tobytes() != theirs.tobytes():
            return f"the output {name} differs from the session's"
    return ""


def _as_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
