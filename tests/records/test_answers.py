"""answers.npz: what a leg sends, and that nothing a stranger puts there is believed or ends the merge."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatekeeper.errors import NotMeasured
from gatekeeper.records.answers import MAX_BYTES, MOST_OUTPUTS, MOST_VALUES, Answers, AnswersHeader, packed, read_answers

NAMES = ["x86/ort/baseline", "x86/ort/a"]
CONTENTS = {
    "schema": "gatekeeper/answers/v1", "dataset": "d", "kind": "same class", "total": 6, "names": NAMES, "left_out": {},
}  # fmt: skip
VALUES = np.array([[1, 2, 3, 1, 2, 3], [1, 2, 3, 1, 2, 0]], dtype=np.uint8)


def written(folder: Path, values: Any = VALUES, **changes: Any) -> Path:
    """A file as anybody might write one."""
    path = folder / "answers.npz"
    contents = np.frombuffer(msgspec.json.encode(CONTENTS | changes), dtype=np.uint8)
    np.savez(path, contents=contents, answers=values)
    return path


def refused(path: Path, says: str) -> None:
    with pytest.raises(NotMeasured, match=says):
        read_answers(path)


def test_what_is_packed_is_read(tmp_path: Path) -> None:
    sent = Answers(msgspec.convert(CONTENTS, AnswersHeader), VALUES)
    (tmp_path / "answers.npz").write_bytes(packed(sent))
    found = read_answers(tmp_path / "answers.npz")
    assert found.header == sent.header
    assert np.array_equal(found.values, VALUES)
    assert np.array_equal(found.of("x86/ort/a"), VALUES[1])
    assert read_answers(written(tmp_path)).comparable() == found.comparable()


def test_distances_travel_as_float32(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(np.float32)
    assert np.array_equal(read_answers(written(tmp_path, values, kind="relative distance")).values, values)


def test_packing_the_same_gives_the_same_bytes() -> None:
    sent = Answers(msgspec.convert(CONTENTS, AnswersHeader), VALUES)
    assert packed(sent) == packed(sent)


def test_a_missing_file_or_a_folder_or_a_pipe_is_missing(tmp_path: Path) -> None:
    import os

    refused(tmp_path / "answers.npz", "no answers.npz came beside its report")
    refused(tmp_path, "no answers.npz came")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "no answers.npz came")


BAD_CONTENTS: dict[str, dict[str, Any]] = {
    "other schema": {"schema": "gatekeeper/answers/v2"},
    "other kind": {"kind": "same colour"},
    "kind of numbers": {"kind": "relative distance"},
    "a name too many": {"names": [*NAMES, "x86/ort/b"]},
    "a name twice": {"names": [NAMES[0], NAMES[0]]},
    "a name too few": {"names": NAMES[:1]},
    "no name": {"names": []},
    "a name that is none": {"names": [1, 2]},
    "a very long name": {"names": [NAMES[0], "x" * 5000]},
    "fewer examples than answers": {"total": 5},
    "no examples": {"total": 0},
    "an endless number": {"total": 10**400},
    "a reason that is none": {"left_out": {"x": 1}},
    "a thousand reasons": {"left_out": {str(i): "x" for i in range(1000)}},
}


@pytest.mark.parametrize("changes", list(BAD_CONTENTS.values()), ids=list(BAD_CONTENTS))
def test_a_description_that_does_not_fit_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    refused(written(tmp_path, **changes), "its answers.npz cannot be read")


BAD_VALUES: dict[str, Any] = {
    "objects": np.array([[1, "x", None, 4, 5, 6]] * 2, dtype=object),
    "text": np.array([["a"] * 6] * 2),
    "records": np.zeros((2, 6), dtype=[("a", "i4")]),
    "complex": np.zeros((2, 6), dtype=complex),
    "times": np.zeros((2, 6), dtype="datetime64[s]"),
    "floats": np.zeros((2, 6)),
    "flat": np.zeros(12, dtype=int),
    "one number": np.array(3),
    "three axes": np.zeros((2, 6, 1), dtype=int),
    "four axes": np.zeros((2, 6, 1, 1), dtype=int),
    "nothing": np.zeros((2, 0), dtype=int),
    "columns first": np.asfortranarray(VALUES),
}


@pytest.mark.parametrize("values", list(BAD_VALUES.values()), ids=list(BAD_VALUES))
def test_arrays_of_another_kind_are_refused_and_never_unpickled(values: Any, tmp_path: Path) -> None:
    refused(written(tmp_path, values), "its answers.npz cannot be read")


def test_more_answers_than_anybody_keeps_are_refused(tmp_path: Path) -> None:
    """Every pair of models is compared on every one of them."""
    numbers = np.zeros((2, MOST_OUTPUTS + 1, 1), dtype=np.float32)
    refused(written(tmp_path, numbers, kind="relative distance", total=10**6), "more answers than it should")
    refused(written(tmp_path, np.zeros((2, MOST_VALUES + 1), dtype=np.uint8), total=10**6), "more answers than it should")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused(value: float, tmp_path: Path) -> None:
    values = np.full((2, 6, 1), value, dtype=np.float32)
    refused(written(tmp_path, values, kind="relative distance"), "NaN or infinite")


def test_a_file_too_large_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "answers.npz"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    refused(path, "more than")


def member(shape: str, data: bytes, dtype: str = "|u1", version: bytes = b"\x01\x00") -> bytes:
    """An array file whose header says what it likes."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + data


def zipped(path: Path, *members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


DESCRIPTION = member(f"({len(msgspec.json.encode(CONTENTS))},)", msgspec.json.encode(CONTENTS))


def test_the_stand_in_would_be_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "answers.npz", ("contents.npy", DESCRIPTION), ("answers.npy", member("(2, 6)", VALUES.tobytes())))
    assert np.array_equal(read_answers(path).values, VALUES)


@pytest.mark.parametrize(
    "answers",
    [
        member("(2, 6000000000000)", b"x" * 12),
        member("(2, 7)", b"x" * 12),
        member("(-2, -6)", b"x" * 12),
        member("(2, 6, 0)", b"x" * 12),
        member("()", b"x"),
        member("(" + "9" * 5000 + ", 2)", b"x"),
        member("(2, 6)", b"x" * 12, version=b"\x02\x00"),
        member("(2, 6)", b"x" * 12, version=b"\xff\xff"),
        member("(2, 6)", b"x" * 96, dtype="|O"),
        member("(2, 6)", b"x" * 12, dtype="nonsense"),
        member("__import__('os').system('true')", b"x" * 12),
        member("(" * 400 + ")" * 400, b"x" * 12),
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
    ],
    ids=range(15),
)
def test_a_header_that_lies_is_refused(answers: bytes, tmp_path: Path) -> None:
    path = zipped(tmp_path / "answers.npz", ("contents.npy", DESCRIPTION), ("answers.npy", answers))
    refused(path, "its answers.npz cannot be read")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_the_usual_packing_is_unpacked(compression: int, tmp_path: Path) -> None:
    members = ("contents.npy", DESCRIPTION), ("answers.npy", member("(2, 6)", VALUES.tobytes()))
    refused(zipped(tmp_path / "answers.npz", *members, compression=compression), "packed in an unknown way")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    size = MAX_BYTES + 1
    path = tmp_path / "answers.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("contents.npy", DESCRIPTION)
        with archive.open("answers.npy", "w") as file:
            for _ in range(size // (1 << 20) + 1):
                file.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    refused(path, "unpacks to more than")


def test_a_bomb_that_calls_itself_small_is_not_unpacked(tmp_path: Path) -> None:
    """The directory says 12 bytes; the stream holds a hundred megabytes."""
    data = zlib.compress(bytes(100 << 20), 9)[2:-4]
    path = zipped(tmp_path / "answers.npz", ("contents.npy", DESCRIPTION), ("answers.npy", bytes(12)))
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("answers.npy")
        offset, packed_size = info.header_offset, info.compress_size
    raw = path.read_bytes()
    start = offset + 30 + len("answers.npy")
    central = raw.index(b"PK\x01\x02", start)
    forged = raw[: start - 30 - len("answers.npy") + 18] + struct.pack("<II", len(data), 12)
    forged += (
        raw[offset + 26 : start]
        + data
        + raw[start + packed_size :]
        .replace(struct.pack("<II", packed_size, 12), struct.pack("<II", len(data), 12))
        .replace(struct.pack("<I", central), struct.pack("<I", central - packed_size + len(data)))
    )
    path.write_bytes(forged)
    with zipfile.ZipFile(path) as archive:
        assert (archive.getinfo("answers.npy").file_size, archive.getinfo("answers.npy").compress_size) == (12, len(data))
    refused(path, "Bad CRC|magic string")


@pytest.mark.parametrize(
    "names",
    [["contents.npy"], ["answers.npy"], [], ["contents.npy", "answers.npy", "more.npy"], ["../contents.npy", "answers.npy"]],
)
def test_other_members_are_refused(names: list[str], tmp_path: Path) -> None:
    refused(zipped(tmp_path / "answers.npz", *((name, DESCRIPTION) for name in names)), "other files than it should")


def test_a_member_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = zipped(tmp_path / "answers.npz", *[("contents.npy", DESCRIPTION)] * 2, ("answers.npy", DESCRIPTION))
    refused(path, "other files than it should")


def whole() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, contents=np.frombuffer(msgspec.json.encode(CONTENTS), dtype=np.uint8), answers=VALUES)
    return buffer.getvalue()


WHOLE = whole()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "answers.npz"


def survives(place: Path, data: bytes) -> None:
    """It is read, or refused in words; nothing else."""
    place.write_bytes(data)
    try:
        found = read_answers(place)
    except NotMeasured as error:
        assert "answers.npz" in str(error)
    else:
        assert found.values.ndim in (2, 3)


unhurried = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])


@unhurried
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(place: Path, data: bytes) -> None:
    survives(place, data)


@unhurried
@given(position=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255), cut=st.booleans())
def test_damage_is_refused_in_words(place: Path, position: int, value: int, cut: bool) -> None:
    survives(place, WHOLE[:position] if cut else WHOLE[:position] + bytes([value]) + WHOLE[position + 1 :])


def test_an_unreadable_file_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so that the refusal is made here."""
    path = written(tmp_path)

    def deny(*words: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(zipfile, "ZipFile", deny)
    refused(path, "Permission denied")
