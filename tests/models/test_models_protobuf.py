"""The wire reader: what protobuf wrote is read back, what is damaged is refused, what is skipped is not read."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.models.protobuf import MAX_DEPTH, Malformed, Message, Reader, Shape

SHAPES = {"outer": Shape({1: "outer"}, frozenset({2}))}


def read(data: bytes) -> Message:
    return Reader(io.BytesIO(data), SHAPES).read("outer", len(data))


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**63 - 1, -1, -(2**63)])
def test_integers_come_back(value: int) -> None:
    encoded = varint(value % 2**64)
    assert read(varint(3 << 3) + encoded).integer(3) == value
    assert read(field(3, encoded + encoded)).integers(3) == [value, value]


def test_packed_and_unpacked_integers_mix() -> None:
    assert read(varint(3 << 3) + b"\x07" + field(3, b"\x01\x80\x01")).integers(3) == [7, 1, 128]


def test_the_last_value_of_a_scalar_counts() -> None:
    found = read(field(4, b"old") + field(4, b"new") + b"\x18\x01\x18\x02")
    assert found.string(4) == "new"
    assert found.strings(4) == ["old", "new"]
    assert found.integer(3) == 2


def test_what_is_absent_has_its_default() -> None:
    found = read(b"")
    assert (found.string(4), found.strings(4), found.integer(3), found.integer(3, 9), found.message(1)) == ("", [], 0, 9, [])


def test_text_that_is_not_utf8_is_shown_escaped() -> None:
    assert read(field(4, b"a\xffb")).string(4) == "a\\xffb"


def test_messages_nest_and_fixed_width_fields_are_kept() -> None:
    found = read(field(1, field(1, field(4, b"x")) + b"\x1d" + b"abcd" + b"\x21" + b"abcdefgh"))
    (outer,) = found.message(1)
    assert outer.message(1)[0].string(4) == "x"
    assert (outer[3], outer[4]) == ([b"abcd"], [b"abcdefgh"])


class Counting(io.BytesIO):
    """Counts the bytes that are read, as opposed to skipped."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def test_a_skipped_field_is_not_read() -> None:
    data = field(2, bytes(1_000_000)) + field(4, b"x")
    file = Counting(data)
    found = Reader(file, SHAPES).read("outer", len(data))
    assert found[2] == [1_000_000]
    assert found.string(4) == "x"
    assert file.taken < 100


@pytest.mark.parametrize(
    "data",
    [
        b"\x18",
        b"\x18\x80",
        b"\x18" + b"\xff" * 11,
        b"\x00\x01",
        b"\x02\x00",
        b"\x1b",
        b"\x1c",
        b"\x1e",
        b"\x1f",
        b"\x22\x05abc",
        b"\x12\x05abc",
        b"\x0a\x05\x18",
        b"\x0a\x01\x18\x01",
        b"\x1d\x00\x00",
        b"\x21\x00\x00\x00\x00",
        b"\x22\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    ],
)
def test_damaged_bytes_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data)


@pytest.mark.parametrize("packed", [b"\x80", b"\x01\xff", b"\xff" * 11])
def test_a_damaged_packed_number_is_malformed(packed: bytes) -> None:
    with pytest.raises(Malformed):
        read(field(3, packed)).integers(3)


def test_deep_nesting_is_malformed() -> None:
    data = b""
    for _ in range(MAX_DEPTH + 1):
        data = field(1, data)
    with pytest.raises(Malformed, match="nested"):
        read(data)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_read_or_malformed(data: bytes) -> None:
    try:
        found = read(data)
        for number in found:
            found.integers(number)
            found.strings(number)
    except Malformed:
        pass
