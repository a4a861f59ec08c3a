"""A process with one session: `python -m gatekeeper.serve.worker`. It reads what it serves, then requests, until its input ends.

What a framework prints goes to standard error, so it cannot be mistaken for an answer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np

from gatekeeper.frameworks._base import whole
from gatekeeper.frameworks._spec import open_session
from gatekeeper.process.failure import failure
from gatekeeper.process.inside import begin
from gatekeeper.serve.config import Served
from gatekeeper.serve.messages import Ask, Generate, Reply, pack, unpack

MAX_MESSAGE = 500
INVALID = ("invalid", "out of range", "out of bounds", "shape", "dimension", "rank")
"""Words by which a runtime says that the input is at fault; with a ValueError or IndexError it says so by its class."""


class Sessions:
    """The session and, of a text model, its tokenizer."""

    def __init__(self, served: Served):
        self.text = served.spec.text
        self.session: Any = open_session(served.spec)
        self.tokenizer: Any = None
        if self.text is not None:
            from gatekeeper.evaluate.text.tokenizer import open_tokenizer

            self.tokenizer = open_tokenizer(Path(self.text.model), self.text.framework)

    def answer(self, ask: Ask) -> Iterator[Reply]:
        """One reply, or the pieces of a text."""
        if ask.generate is not None:
            yield from self.generate(ask.generate)
            return
        outputs = self.session.run(unpack(ask.arrays))
        yield Reply(arrays=pack({name: np.asarray(o) for name, o in zip(self.session.outputs, outputs, strict=True)}))

    def generate(self, wanted: Generate) -> Iterator[Reply]:
        """The likeliest text, piece by piece, until the model ends it, a stop sequence appears or it is long enough."""
        text = self.text
        assert text is not None
        if not self.tokenizer.encode(wanted.text):
            yield Reply(error="`text_input` is empty: there is nothing to go on with.", status=422)
            return
        tokens = whole(self.tokenizer, wanted.text)
        if text.context and len(tokens) + wanted.max_tokens > text.context:
            said = (
                f"`text_input` is {len(tokens)} tokens; with {wanted.max_tokens} more the model's {text.context} do not hold it."
            )
            yield Reply(error=said, status=422)
            return
        written: list[int] = []
        sent = ""
        feed = {"tokens": np.asarray(tokens, np.int64), "new_tokens": wanted.max_tokens}
        for token in self.session.generate(feed) if wanted.max_tokens else ():
            if token in text.end:
                break
            written.append(int(token))
            so_far = self.tokenizer.decode(written)
            if (cut := min((at for s in wanted.stop if (at := so_far.find(s)) >= 0), default=-1)) >= 0:
                yield Reply(piece=so_far[len(sent) : max(cut, len(sent))])
                return
            if so_far.endswith("\ufffd") or not so_far.startswith(sent):
                continue  # a character whose bytes are not all there yet
            yield Reply(piece=so_far[len(sent) :], done=False)
            sent = so_far
        yield Reply(piece=self.tokenizer.decode(written)[len(sent) :])


def refused(error: Exception) -> Reply:
    """An exception of the model: 400 where it blames the input, else 500."""
    said = failure(error)
    blames = isinstance(error, ValueError | IndexError) or "InvalidArgument" in type(error).__name__
    blames = blames or any(word in said.message.lower() for word in INVALID)
    status = 400 if said.kind == "data" or (said.kind == "crash" and blames) else 500
    return Reply(error=f"the model cannot answer: {said.message[:MAX_MESSAGE]}", status=status)


def read(stream: BinaryIO) -> bytes | None:
    """The next message; None when no more will come."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "little")
    body = stream.read(size)
    return body if len(body) == size else None


def main() -> None:
    """Open the session, say whether that worked, and answer."""
    answers = begin()

    def send(reply: Reply) -> None:
        body = msgspec.msgpack.encode(reply)
        answers.write(len(body).to_bytes(4, "little"))
        answers.write(body)
        answers.flush()

    first = read(sys.stdin.buffer)
    if first is None:
        return
    try:
        sessions = Sessions(msgspec.msgpack.decode(first, type=Served))
    except Exception as error:
        send(Reply(error=failure(error).message, status=500))
        return
    send(Reply())
    decoder = msgspec.msgpack.Decoder(Ask)
    while (message := read(sys.stdin.buffer)) is not None:
        try:
            for reply in sessions.answer(decoder.decode(message)):
                send(reply)
        except Exception as error:
            send(refused(error))


if __name__ == "__main__":
    main()
