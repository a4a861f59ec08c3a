"""A protobuf wire reader that skips what it is told to, by seeking: a 10 GB model is read in kilobytes.

Every protobuf library materialises whole messages, weights included; this one is for looking at a model without
loading it. Wire format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from gatekeeper.models.formats._base import PAST_END, Malformed

MAX_DEPTH = 40
MAX_FIELDS = 2_000_000
MAX_FIELD_BYTES = 1 << 20


@dataclass(frozen=True)
class Shape:
    """How to read one message type: fields that are messages, and fields whose bytes are only counted."""

    messages: Mapping[int, str] = field(default_factory=dict)
    skipped: frozenset[int] = frozenset()


class Message(dict[int, list["int | bytes | Message"]]):
    """Field number -> values in file order; of a skipped field, the lengths in bytes."""

    def message(self, number: int) -> list[Message]:
        """Values of a message field."""
        return [v for v in self.get(number, ()) if isinstance(v, Message)]

    def integers(self, number: int) -> list[int]:
        """Values of an integer field, packed or not."""
        values: list[int] = []
        for value in self.get(number, ()):
            if isinstance(value, int):
                values.append(value)
            elif isinstance(value, bytes):
                position = 0
                while position < len(value):
                    number_, position = _unpack(value, position)
                    values.append(number_)
        return [v - (1 << 64) if v >= 1 << 63 else v for v in values]

    def integer(self, number: int, default: int = 0) -> int:
        """The last value of an integer field."""
        return (self.integers(number) or [default])[-1]

    def strings(self, number: int) -> list[str]:
        """Values of a string field; bytes that are not UTF-8 are shown escaped."""
        return [v.decode("utf-8", "backslashreplace") for v in self.get(number, ()) if isinstance(v, bytes)]

    def string(self, number: int) -> str:
        """The last value of a string field, empty if absent."""
        return (self.strings(number) or [""])[-1]


def _unpack(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise Malformed("a packed number is cut short")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


class Reader:
    """Reads one message tree from a seekable file."""

    def __init__(self, file: BinaryIO, shapes: Mapping[str, Shape]):
        self.file = file
        self.shapes = shapes
        self.fields = 0

    def read(self, kind: str, end: int, depth: int = 0) -> Message:
        """The message of type `kind` from the file's position up to offset `end`."""
        if depth > MAX_DEPTH:
            raise Malformed(f"messages are nested more than {MAX_DEPTH} deep")
        shape, message = self.shapes[kind], Message()
        while (position := self.file.tell()) < end:
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise Malformed(f"more than {MAX_FIELDS} fields")
            tag = self._varint()
            number, wire = tag >> 3, tag & 7
            if number == 0:
                raise Malformed(f"field number 0 at byte {position}")
            value: int | bytes | Message
            if wire == 0:
                value = self._varint()
            elif wire in (1, 5):
                value = self._bytes(8 if wire == 1 else 4, end)
            elif wire == 2:
                length = self._varint()
                if length > end - self.file.tell():
                    said = f"a field of {length} bytes at byte {position} reaches past the end: the file is cut short"
                    raise Malformed(said, PAST_END)
                if number in shape.skipped:
                    self.file.seek(length, 1)
                    value = length
                elif number in shape.messages:
                    value = self.read(shape.messages[number], self.file.tell() + length, depth + 1)
                elif length > MAX_FIELD_BYTES:
                    self.file.seek(length, 1)  # a note of this size is not needed; keep that it was there
                    value = b""
                else:
                    value = self._bytes(length, end)
            else:
                raise Malformed(f"wire type {wire} at byte {position}")
            message.setdefault(number, []).append(value)
        if self.file.tell() != end:
            raise Malformed("a field reaches past its message")
        return message

    def _varint(self) -> int:
        result = shift = 0
        while True:
            byte = self.file.read(1)
            if not byte or shift > 63:
                raise Malformed("a number is cut short")
            result |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                return result
            shift += 7

    def _bytes(self, length: int, end: int) -> bytes:
        if length > end - self.file.tell():
            raise Malformed("a field is cut short")
        data = self.file.read(length)
        if len(data) != length:
            raise Malformed("a field is cut short")
        return data
