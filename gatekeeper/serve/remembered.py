"""Answers that were given, for questions that come again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from gatekeeper.serve.messages import Array, pack
from gatekeeper.serve.tensors import Feed

MOST_BYTES = 64 << 20


@dataclass
class Remembered:
    """At most `most` answers and `MOST_BYTES`, of which the one that nobody asked for longest goes first. Only what was answered
    well is kept, under the digest of the whole question.
    """

    most: int
    answers: OrderedDict[bytes, list[Array]] = field(default_factory=OrderedDict)
    held: int = 0  # bytes

    def get(self, question: bytes) -> list[Array] | None:
        """The answer, where it is known."""
        if (found := self.answers.get(question)) is not None:
            self.answers.move_to_end(question)
        return found

    def put(self, question: bytes, answer: list[Array]) -> None:
        """Keep it, unless it is too large to keep anything beside it."""
        if question in self.answers or (size := _size(answer)) > MOST_BYTES // 8:
            return
        self.answers[question] = answer
        self.held += size
        while len(self.answers) > self.most or self.held > MOST_BYTES:
            self.held -= _size(self.answers.popitem(last=False)[1])


def question(feed: Feed) -> bytes:
    """What tells a question from every other: names, types, shapes and values, in the order of the names."""
    ordered = {name: feed[name] for name in sorted(feed)}
    return hashlib.blake2b(msgspec.msgpack.encode(pack(ordered)), digest_size=32).digest()


def _size(answer: list[Array]) -> int:
    return sum(len(each.data) if isinstance(each.data, bytes) else sum(len(text) for text in each.data) for each in answer)
