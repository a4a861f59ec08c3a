"""Which examples two prepared sets have in common, by content: whatever their files are called and however they are ordered.

Beside a prepared set lies an array [2, examples]: a digest of each example, and what it weighs. An example is what the model
is given at once, and weighs 1. Of a text it is a line, and weighs its characters: when a line moves, all windows do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_NAME = "known.npy"
MOST = 0.5
"""Share of an evaluation set that may be in the calibration set: most of what judges must be new."""


@dataclass(frozen=True)
class Overlap:
    """How much of an evaluation set is in a calibration set, too, in examples or characters."""

    shared: int
    total: int

    @property
    def too_much(self) -> bool:
        """Whether so much is shared that the rest says little."""
        return self.shared > MOST * self.total


def write_examples(folder: Path, inputs: Mapping[str, Any]) -> None:
    """Of arrays [examples, ...] by input name."""
    import numpy as np

    count = len(next(iter(inputs.values())))
    parts = ([np.ascontiguousarray(array[i]).data for array in inputs.values()] for i in range(count))
    _write(folder, parts, [1] * count)


def write_lines(folder: Path, text: str) -> None:
    """Of the lines of a text."""
    lines = [line for each in text.split("\n") if (line := " ".join(each.split()))]
    _write(folder, ([line.encode("utf-8", "surrogatepass")] for line in lines), [len(line) for line in lines])


def overlap(evaluation: Path, calibration: Path) -> Overlap:
    """Of two prepared folders."""
    import numpy as np

    (digests, weights), (calibrated, _) = (np.load(folder / FILE_NAME) for folder in (evaluation, calibration))
    return Overlap(int(weights[np.isin(digests, calibrated)].sum()), int(weights.sum()))


def _write(folder: Path, examples: Iterable[Sequence[Any]], weights: Sequence[int]) -> None:
    import numpy as np

    digests = []
    for parts in examples:
        one = hashlib.blake2b(digest_size=8)
        for part in parts:
            one.update(part)
        digests.append(int.from_bytes(one.digest()))
    np.save(folder / FILE_NAME, np.array([digests, weights], dtype=np.uint64))
