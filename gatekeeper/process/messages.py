"""What a worker is asked and what it may answer: one JSON line each way, checked on both sides.

A request lives in the room that does the work, beside its answer, and the line on the pipe names its class: a new job is a class,
and nothing lists it. The parent imports that module too, so it imports nothing heavy. Arrays never travel here; they are files
whose path does.
"""

from __future__ import annotations

import importlib
from operator import attrgetter
from typing import TypeVar

import msgspec

from gatekeeper.errors import NotMeasured

MAX_ANSWER_BYTES = 16 << 20

T = TypeVar("T")
A = TypeVar("A", bound="Answer")


class Held:
    """What a worker keeps from one request to the next: one thing of a kind."""

    def __init__(self) -> None:
        self._things: dict[type, object] = {}

    def put(self, thing: object) -> None:
        """Keep it, in place of the one before."""
        self._things[type(thing)] = thing

    def get(self, kind: type[T], missing: str) -> T:
        """The thing of that kind; where none was kept the request came out of turn, and `missing` says how."""
        thing = self._things.get(kind)
        if not isinstance(thing, kind):
            raise NotMeasured("garbage", missing)
        return thing


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a worker is asked."""

    def answer(self, held: Held) -> Answer:
        """Do it, in the worker. Whatever is raised is the answer `Failed`."""
        raise NotImplementedError


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag=str.lower, forbid_unknown_fields=True):
    """Base of what a worker answers."""

    def sensible(self, passed_ns: float) -> bool:
        """Whether it can be true, when so much time passed in the parent since it asked."""
        return True


class Done(Answer, frozen=True, kw_only=True):
    """It worked; the result is in the files asked for."""


class Failed(Answer, frozen=True, kw_only=True):
    """It did not work; `kind` as in `NotMeasured`."""

    kind: str
    message: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request on its way: its class as `module:name`, and its fields."""

    job: str
    request: msgspec.Raw


def pack(request: Request) -> bytes:
    """The line that asks for it."""
    kind = type(request)
    try:
        body = msgspec.Raw(msgspec.json.encode(request))
    except UnicodeEncodeError as error:
        name = error.object.encode("utf-8", "backslashreplace").decode()
        raise NotMeasured("data", f"'{name}' is not UTF-8 text, and cannot be told to a worker. Rename it.") from None
    return msgspec.json.encode(Envelope(job=f"{kind.__module__}:{kind.__qualname__}", request=body)) + b"\n"


def unpack(line: bytes) -> Request:
    """The request that a line asks for."""
    envelope = msgspec.json.decode(line, type=Envelope)
    module, _, name = envelope.job.partition(":")
    kind = attrgetter(name)(importlib.import_module(module))
    if not (isinstance(kind, type) and issubclass(kind, Request)):
        raise NotMeasured("garbage", f"{envelope.job} is nothing that a worker can be asked")
    return msgspec.json.decode(envelope.request, type=kind)


def read_answer(line: bytes, expected: type[A]) -> A | Failed:
    """The answer of that type, or the failure; a `ValueError` where the line is neither."""
    try:
        answer: A | Failed = msgspec.json.decode(line, type=Failed | expected)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return answer
