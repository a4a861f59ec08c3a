"""A log of requests, one JSON object a line: what no counter shows, such as the inputs, and answers that labels come late for."""

from __future__ import annotations

import datetime
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gatekeeper.files import open_itself
from gatekeeper.monitor.features import features
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.sample import SIZE, Sample, empty, scrambled
from gatekeeper.monitor.sources._base import Asked
from gatekeeper.monitor.window import (
    CLOCKS_S,
    CONFIDENCE,
    LABELLED,
    LATENCY,
    REQUESTS,
    SHADOWED,
    STEPS,
    Increase,
    Window,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DESCRIPTION = "A log of requests: a file of JSON lines, or a folder of such files (docs/monitoring.md has the fields)."
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Upper ends of the confidence histogram, as gatekeeper/serve/metrics.py has them."""
BOUNDS_MS = tuple(0.1 * 1.1**i for i in range(140))
"""Upper ends of the latency histogram: from 0.1 ms to a minute, a tenth apart."""
MOST_ANSWERS, MOST_BAD = 10_000, 0.01
"""Different answers that are told apart, and the share of lines that may be unreadable."""
CHUNK = 1 << 16
ANSWER, SURE = "answer", "confidence"
"""Columns of a sample beside the features."""


class Logged(msgspec.Struct, gc=False):
    """One request. `time` is in seconds since 1970 or ISO 8601, `ms` how long it took, `status` that of HTTP (200 if not given);
    `shadow` what another model answered, `label` what would have been right, `right` whether it was where that is no equality.
    """

    time: float | str
    inputs: msgspec.Raw = msgspec.Raw(b"null")
    answer: int | float | str | None = None
    confidence: float | None = None
    label: int | float | str | None = None
    right: bool | None = None
    shadow: int | float | str | None = None
    ms: float | None = None
    status: int = 200
    id: int | str | None = None


class Label(msgspec.Struct, gc=False):
    """What was right for the request of that id, known later."""

    id: int | str
    label: int | float | str | None = None
    right: bool | None = None


@dataclass
class _Counted:
    """What has been read so far: a row of each table is a step."""

    requests: dict[str, Any] = field(default_factory=dict)
    latency: Any = None
    confidence: Any = None
    right: dict[str, Any] = field(default_factory=dict)
    agrees: dict[str, Any] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    sample: Sample = field(default_factory=empty)
    lines: int = 0
    bad: int = 0
    first_bad: str = ""
    torn: bool = False
    future: int = 0


def read(asked: Asked) -> Window:
    """The requests of the window that ends now. Labels count for the requests that they belong to, however late they come."""
    place = Path(asked.address)
    files = log_files(place)
    labels = _labels(asked.labels) if asked.labels else {}
    start, counted = asked.now - asked.window_s, _Counted()
    for file in files:
        for first, chunk in _chunks(file, counted):
            _count(chunk, first, file, asked, start, labels, counted)
    if counted.lines and counted.bad > MOST_BAD * counted.lines:
        raise Unread("garbage", f"{counted.first_bad} ({counted.bad:,} of {counted.lines:,} lines.) Correct what writes the log.")
    if counted.future > MOST_BAD * counted.lines:
        said = f"{counted.future:,} of {counted.lines:,} requests of {place} are from more than {CLOCKS_S:.0f} s after now: "
        raise Unread("clocks", f"{said}the clock of who writes it and this machine's differ. Set both by NTP.")
    return _window(counted, start, asked)


def log_files(place: Path) -> list[Path]:
    """The files of a log: itself, or those that end in .jsonl in a folder, by their names."""
    if place.is_dir():
        found = sorted(each for each in place.iterdir() if each.suffix == ".jsonl" and each.is_file() and not each.is_symlink())
        if found:
            return found
        raise Unread("file", f"{place}: has no file that ends in .jsonl. Name the log of requests.")
    if not place.is_file():
        raise Unread("file", f"{place}: no such file. Name the log of requests, or write one (docs/monitoring.md).")
    return [place]


def _chunks(file: Path, counted: _Counted) -> Iterator[tuple[int, list[Logged]]]:
    """The requests of a file with the number of the first line of each lot; what cannot be read is counted."""
    decode = msgspec.json.Decoder(Logged).decode
    chunk, number, first = list[Logged](), 0, 0
    try:
        with io.BufferedReader(open_itself(file), 1 << 20) as lines:
            for number, line in enumerate(lines):
                try:
                    chunk.append(decode(line))
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    if not line.endswith(b"\n"):
                        counted.torn = True  # its end is still to come
                    elif line.strip():
                        counted.bad += 1
                        counted.first_bad = counted.first_bad or f"{file}:{number + 1}: no request can be read of it: {error}."
                if len(chunk) == CHUNK:
                    counted.lines += len(chunk)
                    yield first, chunk
                    chunk, first = [], number + 1
    except OSError as error:
        raise Unread("file", f"{file}: cannot be read: {error.strerror}. Check the path.") from None
    counted.lines += len(chunk) + counted.bad
    yield first, chunk


def _count(
    chunk: list[Logged], first: int, file: Path, asked: Asked, start: float, labels: dict[Any, Label], counted: _Counted
) -> None:
    """Add a lot of requests."""
    import numpy as np

    times = np.array([_seconds(each.time, file) for each in chunk])
    counted.future += int((times > asked.now + CLOCKS_S).sum())
    inside = (times > start) & (times <= asked.now + CLOCKS_S)
    steps = np.clip((times - start) / asked.window_s * STEPS, 0, STEPS - 1).astype(np.int64)
    status = np.array([each.status for each in chunk])
    for code in np.unique(status[inside]):
        _add(counted.requests, str(code), steps[inside & (status == code)])
    for bounds, values, name in (
        (BOUNDS_MS, [each.ms for each in chunk], "latency"),
        (SHARES, [each.confidence for each in chunk], "confidence"),
    ):
        array = np.array(values, dtype=float)
        there = inside & ~np.isnan(array)
        if there.any():
            table = np.zeros((STEPS, len(bounds) + 1))
            np.add.at(table, (steps[there], np.searchsorted(bounds, array[there])), 1)
            before = getattr(counted, name)
            setattr(counted, name, table if before is None else before + table)
    # Labels come late: they count wherever their request is in the log.
    rights = np.array([_right(each, labels) for each in chunk], dtype=float)
    for value, word in ((1.0, "true"), (0.0, "false")):
        if (rights == value).any():
            _add(counted.right, word, steps[rights == value])
    compared = np.array([np.nan if each.shadow is None else float(each.shadow == each.answer) for each in chunk])
    for value, word in ((1.0, "true"), (0.0, "false")):
        if (there := inside & (compared == value)).any():
            _add(counted.agrees, word, steps[there])
    rows = np.flatnonzero(inside)
    if len(counted.answers) <= MOST_ANSWERS:
        counted.answers.update(str(chunk[i].answer) for i in rows if chunk[i].answer is not None)
    priorities = scrambled(file.name, first, len(chunk))[rows]
    worst = counted.sample.priorities[-1] if len(counted.sample.priorities) == SIZE else None
    kept = rows if worst is None else rows[priorities < worst]
    order = kept[np.argsort(scrambled(file.name, first, len(chunk))[kept], kind="stable")[:SIZE]]
    columns = _columns([chunk[i] for i in order], asked)
    part = Sample(columns, scrambled(file.name, first, len(chunk))[order], rows.size)
    counted.sample = counted.sample.merged(part)


def _columns(rows: list[Logged], asked: Asked) -> dict[str, NDArray[np.float64]]:
    """Features and confidence of the rows of a sample."""
    import numpy as np

    found = {SURE: np.array([each.confidence for each in rows], dtype=float)}
    found[ANSWER] = np.array([each.answer if isinstance(each.answer, int | float) else None for each in rows], dtype=float)
    if asked.ways:
        inputs = [_inputs(each.inputs, next(iter(asked.ways))) for each in rows]
        found |= features(asked.ways, inputs)
    return found


def _inputs(raw: msgspec.Raw, only: str) -> dict[str, Any]:
    """Inputs by name; of a model with one the bare value, too."""
    value = msgspec.json.decode(raw)
    return value if isinstance(value, dict) else {only: value}


def _right(each: Logged, labels: dict[Any, Label]) -> float | None:
    """Whether the answer was right, 1 or 0; None where nobody knows."""
    late = labels.get(each.id) if each.id is not None else None
    said = late.right if late is not None and late.right is not None else each.right
    if said is not None:
        return float(said)
    label = late.label if late is not None and late.label is not None else each.label
    return None if label is None or each.answer is None else float(label == each.answer)


def _labels(place: str) -> dict[Any, Label]:
    """Labels that came later, by the id of their request; of several the last one."""
    decode, found = msgspec.json.Decoder(Label).decode, dict[Any, Label]()
    for file in log_files(Path(place)):
        for number, line in enumerate(file.read_bytes().splitlines(keepends=True)):
            try:
                label = decode(line)
                found[label.id] = label
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                if line.strip() and line.endswith(b"\n"):
                    raise Unread("garbage", f"{file}:{number + 1}: no label can be read of it: {error}. Correct it.") from None
    return found


def _seconds(time: float | str, file: Path) -> float:
    if isinstance(time, str):
        try:
            read = datetime.datetime.fromisoformat(time)
        except ValueError:
            said = f"{file}: the time {time[:40]!r} is neither seconds since 1970 nor ISO 8601. Correct what writes the log."
            raise Unread("garbage", said) from None
        return (read if read.tzinfo else read.replace(tzinfo=datetime.UTC)).timestamp()
    return time


def _add(tables: dict[str, Any], key: str, steps: NDArray[np.int64]) -> None:
    import numpy as np

    tables[key] = tables.get(key, np.zeros(STEPS)) + np.bincount(steps, minlength=STEPS)


def _window(counted: _Counted, start: float, asked: Asked) -> Window:
    """As counters would have it."""
    import numpy as np

    families: dict[str, list[Increase]] = {}
    for name, label, tables in (
        (REQUESTS, "code", counted.requests),
        (LABELLED, "right", counted.right),
        (SHADOWED, "agrees", counted.agrees),
    ):
        families[name] = [Increase({label: key}, steps) for key, steps in tables.items()]
    for name, table, ends in (
        (LATENCY, counted.latency, [each / 1e3 for each in BOUNDS_MS]),
        (CONFIDENCE, counted.confidence, SHARES),
    ):
        if table is not None:
            ups = [f"{end:g}" for end in ends] + ["+Inf"]
            families[name] = [Increase({"le": up}, steps) for up, steps in zip(ups, np.cumsum(table, axis=1).T, strict=True)]
    notes = [f"{counted.bad:,} lines of {asked.address} could not be read: {counted.first_bad}"] if counted.bad else []
    if counted.future:
        notes.append(f"{counted.future:,} requests of {asked.address} are from after now")
    return Window(start, asked.now, families, {}, notes, counted.sample, dict(counted.answers))
