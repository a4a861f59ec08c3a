"""Requests as they are logged: one JSON object a line, read lot by lot."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from gatekeeper.files import open_itself
from gatekeeper.monitor.problems import Unread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOT = 16 << 20
"""Bytes that are read at once."""
SUFFIX = ".jsonl"


class Logged(msgspec.Struct, gc=False):
    """One request. `time` is in seconds since 1970 or ISO 8601, `ms` how long it took, `status` that of HTTP (200 if not given);
    `shadow` what another model answered, `label` what would have been right, `right` whether it was where that is no equality.
    """

    time: float | str
    inputs: msgspec.Raw = msgspec.Raw(b"null")
    answer: int | float | str | None = None
    confidence: Annotated[float, Meta(ge=0, le=1 + 1e-6)] | None = None  # single precision may round above 1
    label: int | float | str | None = None
    right: bool | None = None
    shadow: int | float | str | None = None
    ms: Annotated[float, Meta(ge=0)] | None = None
    status: Annotated[int, Meta(ge=100, le=599)] = 200
    id: int | str | None = None


class Label(msgspec.Struct, gc=False):
    """What was right for the request of that id, known later."""

    id: int | str
    label: int | float | str | None = None
    right: bool | None = None


@dataclass
class Lines:
    """How many lines there were, and which of them could not be read."""

    good: int = 0
    bad: int = 0
    first_bad: str = ""

    @property
    def all(self) -> int:
        """Lines that hold anything, but for a last one whose end is still to come."""
        return self.good + self.bad


def log_files(place: Path) -> list[Path]:
    """The files of a log: itself, or those that end in .jsonl in a folder, by their names."""
    if place.is_dir():
        found = sorted(each for each in place.iterdir() if each.suffix == SUFFIX and each.is_file() and not each.is_symlink())
        if found:
            return found
        raise Unread("file", f"{place}: has no file that ends in {SUFFIX}. Name the log of requests.")
    if not place.is_file():
        raise Unread("file", f"{place}: no such file. Name the log of requests, or write one (docs/monitoring.md).")
    return [place]


def lots(file: Path, kind: type[Any], lines: Lines) -> Iterator[tuple[int, list[Any]]]:
    """What a file holds, and the number of the first of each lot; lines that cannot be read are counted, and left out."""
    decoder, first = msgspec.json.Decoder(kind), 0
    for number, block in _blocks(file):
        try:
            found = decoder.decode_lines(block)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            found = _one_by_one(decoder, block, file, number, lines)
        lines.good += len(found)
        if found:
            yield first, found
        first += len(found)


def _blocks(file: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines, and the number of the first; a last one without an end is still being written, unless it can be read."""
    number, left = 1, b""
    try:
        with open_itself(file) as source:
            while data := source.read(LOT):
                whole, end, rest = (left + data).rpartition(b"\n")
                if end:
                    yield number, whole + end
                    number += whole.count(b"\n") + 1
                left = rest
    except OSError as error:
        raise Unread("file", f"{file}: cannot be read: {error.strerror}. Check the path.") from None
    if left.endswith(b"}"):
        yield number, left


def _one_by_one(decoder: msgspec.json.Decoder[Any], block: bytes, file: Path, number: int, lines: Lines) -> list[Any]:
    found = []
    for index, line in enumerate(block.splitlines()):
        try:
            found.append(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            if line.strip():
                lines.bad += 1
                lines.first_bad = lines.first_bad or f"{file}:{number + index}: no request can be read of it: {error}."
    return found


def read_labels(place: Path) -> dict[Any, Label]:
    """Labels that came later, by the id of their request; of several the last one."""
    lines, found = Lines(), dict[Any, Label]()
    for file in log_files(place):
        for _, lot in lots(file, Label, lines):
            found |= {each.id: each for each in lot}
    if lines.bad:
        raise Unread("garbage", f"{lines.first_bad} Correct what writes the labels.")
    return found


def seconds(rows: Sequence[Logged], file: Path) -> NDArray[np.float64]:
    """When they came, of shape [rows]."""
    import numpy as np

    times = [each.time for each in rows]
    return np.array([each if isinstance(each, float) else _moment(each, file) for each in times])


def _moment(time: Any, file: Path) -> float:
    try:
        read = datetime.datetime.fromisoformat(time)
    except ValueError:
        said = f"{file}: the time {time[:40]!r} is neither seconds since 1970 nor ISO 8601. Correct what writes the log."
        raise Unread("garbage", said) from None
    return (read if read.tzinfo else read.replace(tzinfo=datetime.UTC)).timestamp()


def rights(rows: Sequence[Logged], labels: dict[Any, Label]) -> NDArray[np.float64]:
    """Whether each answer was right, 1 or 0; NaN where nobody knows."""
    import numpy as np

    found = [
        each.right if each.right is not None else None if each.label is None or each.answer is None else each.label == each.answer
        for each in rows
    ]
    if labels:
        for index, each in enumerate(rows):
            late = labels.get(each.id) if each.id is not None else None
            if late is not None and late.right is not None:
                found[index] = late.right
            elif late is not None and late.label is not None and each.answer is not None:
                found[index] = late.label == each.answer
    return np.array(found, dtype=float)
