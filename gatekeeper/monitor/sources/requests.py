"""A log of requests, one JSON object a line: what no counter shows, such as the inputs, and answers that labels come late for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gatekeeper.monitor.features import Way, features
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.sample import SIZE, Sample, empty, scrambled
from gatekeeper.monitor.sources._base import Asked
from gatekeeper.monitor.sources._lines import Label, Lines, Logged, log_files, lots, read_labels, rights, seconds
from gatekeeper.monitor.window import (
    ANSWERS,
    CLOCKS_S,
    CONFIDENCE,
    HALF,
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
"""Different answers that are told apart, and the share of lines that may be unreadable, or from after now."""
WORDS = {LATENCY: "ms", ANSWERS: "answer", CONFIDENCE: "confidence"}
REFUSED = 400
"""The first status of a request that has no answer."""
ANSWER, SURE = "answer", "confidence"
"""Columns of a sample beside the features."""


@dataclass
class _Counted:
    """What has been read so far: a row of each table is a step."""

    start: float
    asked: Asked
    labels: dict[Any, Label]
    tables: dict[tuple[str, str], Any] = field(default_factory=dict)  # by family and label
    histograms: dict[str, Any] = field(default_factory=dict)
    answers: Counter[Any] = field(default_factory=Counter)
    sample: Sample = field(default_factory=empty)
    future: int = 0
    could: Counter[str] = field(default_factory=Counter)  # requests that could have a value, and below those that have one
    had: Counter[str] = field(default_factory=Counter)


def read(asked: Asked) -> Window:
    """The requests of the window that ends now. Labels count for the requests that they belong to, however late they come."""
    place, lines = Path(asked.address), Lines()
    labels = read_labels(Path(asked.labels)) if asked.labels else {}
    counted = _Counted(asked.now - asked.window_s, asked, labels)
    for file in log_files(place):
        for first, rows in lots(file, Logged, lines):
            _count(counted, rows, first, file)
    if lines.bad > MOST_BAD * lines.all:
        raise Unread("garbage", f"{lines.first_bad} ({lines.bad:,} of {lines.all:,} lines.) Correct what writes the log.")
    if counted.future > MOST_BAD * lines.all:
        said = f"{counted.future:,} of {lines.all:,} requests of {place} are from more than {CLOCKS_S:.0f} s after now: "
        raise Unread("clocks", f"{said}the clock of who writes it and this machine's differ. Set both by NTP.")
    notes = [f"{lines.bad:,} lines of {asked.address} could not be read: {lines.first_bad}"] if lines.bad else []
    notes += [f"{counted.future:,} requests of {asked.address} are from after now"] if counted.future else []
    return _window(counted, notes)


def _count(counted: _Counted, rows: list[Logged], first: int, file: Path) -> None:
    """Add a lot of requests."""
    import numpy as np

    asked, start = counted.asked, counted.start
    times = seconds(rows, file)
    counted.future += int((times > asked.now + CLOCKS_S).sum())
    inside = (times > start) & (times <= asked.now + CLOCKS_S)
    steps = np.clip((times - start) / asked.window_s * STEPS, 0, STEPS - 1).astype(np.int64)
    status = np.array([each.status for each in rows])
    for code in np.unique(status[inside]):
        _add(counted, REQUESTS, str(code), steps[inside & (status == code)])
    _bin(counted, LATENCY, BOUNDS_MS, [each.ms for each in rows], steps, inside)
    _bin(counted, CONFIDENCE, SHARES, [each.confidence for each in rows], steps, inside)
    _had(counted, rows, inside)
    right = rights(rows, counted.labels)  # labels come late: they count wherever their request is in the log
    agree = np.array([None if each.shadow is None else each.shadow == each.answer for each in rows], dtype=float)
    for value, word in ((1.0, "true"), (0.0, "false")):
        _add(counted, LABELLED, word, steps[right == value])
        _add(counted, SHADOWED, word, steps[inside & (agree == value)])
    within = rows if inside.all() else [row for row, there in zip(rows, inside, strict=True) if there]
    if len(counted.answers) <= MOST_ANSWERS:
        counted.answers.update([each.answer for each in within if each.answer is not None])
    priorities = scrambled(file.name, first, len(rows))[inside]
    kept = np.argsort(priorities, kind="stable")[:SIZE]
    if len(counted.sample.priorities) == SIZE:
        kept = kept[priorities[kept] < counted.sample.priorities[-1]]
    columns = _columns([within[i] for i in kept], asked.ways)
    counted.sample = counted.sample.merged(Sample(columns, priorities[kept], priorities.size))


def _had(counted: _Counted, rows: list[Logged], inside: NDArray[np.bool_]) -> None:
    """Which requests have what most should: a time each, and those that were answered an answer and a confidence."""
    for row, there in zip(rows, inside, strict=True):
        if there:
            answered = row.status < REFUSED
            counted.could.update({LATENCY: 1, **({ANSWERS: 1, CONFIDENCE: 1} if answered else {})})
            counted.had[LATENCY] += row.ms is not None
            counted.had[ANSWERS] += answered and row.answer is not None
            counted.had[CONFIDENCE] += answered and row.confidence is not None


def _add(counted: _Counted, family: str, word: str, steps: NDArray[np.int64]) -> None:
    import numpy as np

    if steps.size:
        found = np.bincount(steps, minlength=STEPS).astype(float)
        counted.tables[family, word] = counted.tables.get((family, word), 0.0) + found


def _bin(
    counted: _Counted,
    family: str,
    bounds: Sequence[float],
    values: list[float | None],
    steps: NDArray[np.int64],
    inside: NDArray[np.bool_],
) -> None:
    """Into the buckets of a histogram, each with its upper end, and the last without one."""
    import numpy as np

    array = np.array(values, dtype=float)
    there = inside & ~np.isnan(array)
    if there.any():
        size = len(bounds) + 1
        places = steps[there] * size + np.searchsorted(bounds, array[there])
        found = np.bincount(places, minlength=STEPS * size).reshape(STEPS, size).astype(float)
        counted.histograms[family] = counted.histograms.get(family, 0.0) + found


def _columns(rows: list[Logged], ways: Mapping[str, Way]) -> dict[str, NDArray[np.float64]]:
    """Features, confidence and answers of the rows of a sample."""
    import numpy as np

    found = {SURE: np.array([each.confidence for each in rows], dtype=float)}
    found[ANSWER] = np.array([each.answer if isinstance(each.answer, int | float) else None for each in rows], dtype=float)
    if ways:
        found |= features(ways, [inputs_of(each.inputs, next(iter(ways))) for each in rows])
    return found


def inputs_of(raw: msgspec.Raw, only: str) -> dict[str, Any]:
    """Inputs by name; of a model with one the bare value, too."""
    value = msgspec.json.decode(raw)
    return value if isinstance(value, dict) else {only: value}


def _window(counted: _Counted, notes: list[str]) -> Window:
    """As counters would have it."""
    import numpy as np

    labels = {REQUESTS: "code", LABELLED: "right", SHADOWED: "agrees"}
    families: dict[str, list[Increase]] = {}
    for (family, word), steps in counted.tables.items():
        families.setdefault(family, []).append(Increase({labels[family]: word}, steps))
    for family, ends in ((LATENCY, [each / 1e3 for each in BOUNDS_MS]), (CONFIDENCE, list(SHARES))):
        if (table := counted.histograms.get(family)) is not None:
            ups = [*(f"{end:g}" for end in ends), "+Inf"]
            families[family] = [Increase({"le": up}, steps) for up, steps in zip(ups, np.cumsum(table, axis=1).T, strict=True)]
    answers = Counter[str]()
    for answer, count in counted.answers.items():
        answers[str(answer)] += count
    had = {family: counted.had[family] / could for family, could in counted.could.items()}
    notes += [
        f"{counted.had[family]:,} of {counted.could[family]:,} requests that could have it have `{WORDS[family]}`"
        for family, share in had.items()
        if 0 < share < HALF
    ]
    return Window(counted.start, counted.asked.now, families, {}, notes, counted.sample, dict(answers), had)
