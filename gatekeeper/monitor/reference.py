"""What was normal when a model was approved: a sketch of bounded size, made of its test set or of a log of a good time.

A .npz without pickles: the rows of a sample, column by column, and beside them what was counted of all.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gatekeeper.errors import UsageError
from gatekeeper.files import open_itself
from gatekeeper.monitor.features import Way, way_of
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.sample import SIZE, Sample
from gatekeeper.monitor.sources._base import Asked
from gatekeeper.monitor.sources._lines import Lines, Logged, log_files, lots
from gatekeeper.monitor.sources.requests import ANSWER, MOST_ANSWERS, SURE, inputs_of, read
from gatekeeper.monitor.window import CONFIDENCE, LABELLED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORM = 1
FIRST, ONLY = 1000, "x"
"""Requests by which it is told how inputs are read, and how an input without a name is called."""
MOST_BYTES = 64 << 20
CONTENTS, PRIORITIES = "contents", "priorities"


class Contents(msgspec.Struct, frozen=True):
    """What was counted. `confidence` are the upper ends and how many answers were at most so sure; `right` of `labelled` answers
    were. `model` is the SHA-256 of the artifact, where it is known.
    """

    form: int
    seen: int
    inputs: dict[str, Way]
    answers: dict[str, int]
    confidence: list[tuple[float, int]]
    right: int
    labelled: int
    model: str = ""


@dataclass(frozen=True)
class Reference:
    """A sketch: what was counted of all rows, and a sample of them."""

    contents: Contents
    rows: Sample

    def features(self) -> dict[str, NDArray[np.float64]]:
        """Columns that are of inputs."""
        return {name: values for name, values in self.rows.columns.items() if name not in (ANSWER, SURE)}


def learned(log: Path, now: float, model: str = "", span_s: float = 10 * 366 * 86400.0) -> Reference:
    """The reference that a log of requests makes, all of it that is not older than `span_s`; `Unread` where it has none."""
    ways = _ways(log)
    window = read(Asked(str(log), now, span_s, ways=ways))
    rows = window.rows
    if rows is None or not rows.seen:
        raise UsageError(f"{log}: holds no request that can be read. Name a log of a time when all was well.")
    up = window.by(CONFIDENCE, "le")
    right = {word: int(steps.sum()) for word, steps in window.by(LABELLED, "right").items()}
    contents = Contents(
        form=FORM,
        seen=rows.seen,
        inputs=ways,
        answers=dict(window.answers) if len(window.answers) <= MOST_ANSWERS else {},
        confidence=[(float(bound), int(steps.sum())) for bound, steps in up.items() if bound != "+Inf"],
        right=right.get("true", 0),
        labelled=sum(right.values()),
        model=model,
    )
    return Reference(contents, rows)


def _ways(log: Path) -> dict[str, Way]:
    """How the inputs of a log are read, by its first requests."""
    examples: dict[str, list[Any]] = {}
    _, rows = next(lots(log_files(log)[0], Logged, Lines()), (0, []))
    for row in rows[:FIRST]:
        inputs = inputs_of(row.inputs, ONLY)
        for name, value in inputs.items():
            if value is not None:
                examples.setdefault(name, []).append(value)
    return {name: way_of(values) for name, values in examples.items()}


def written(reference: Reference) -> bytes:
    """The bytes of a reference; the same for the same."""
    import numpy as np

    arrays: dict[str, Any] = {f"column/{name}": values for name, values in reference.rows.columns.items()}
    arrays[PRIORITIES] = reference.rows.priorities
    arrays[CONTENTS] = np.frombuffer(msgspec.json.encode(reference.contents), dtype=np.uint8)
    data = io.BytesIO()
    np.savez(data, **arrays)
    return data.getvalue()


def read_reference(path: Path) -> Reference:
    """A reference from its file; `UsageError` where it is none."""
    import numpy as np

    try:
        with open_itself(path) as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unread(
            "file", f"{path}: cannot be read: {error.strerror}. Make one with `gatekeeper watch FILE --learn LOG`."
        ) from None
    try:
        if len(data) > MOST_BYTES:
            raise ValueError("too large")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            told: Mapping[str, Any] = {name: arrays[name] for name in arrays.files}
        contents = msgspec.json.decode(told[CONTENTS].tobytes(), type=Contents)
        priorities = told[PRIORITIES].astype(np.uint64)
        columns = {name.removeprefix("column/"): told[name].astype(float) for name in told if name.startswith("column/")}
        if contents.form != FORM or priorities.ndim != 1 or not 0 < priorities.size <= SIZE:
            raise ValueError("another form")
        if any(values.shape != priorities.shape for values in columns.values()):
            raise ValueError("columns of several lengths")
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError):
        raise Unread(
            "garbage", f"{path}: is no reference of this version. Make it with `gatekeeper watch FILE --learn LOG`."
        ) from None
    return Reference(contents, Sample(columns, priorities, contents.seen))
