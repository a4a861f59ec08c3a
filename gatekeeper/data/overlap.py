"""Which examples two prepared sets have in common, by content: whatever their files are called and however they are ordered.

Beside a prepared set lies an array [2, examples]: a digest of each example, and what it weighs. An example is what the model
is given at once, and weighs 1. Of a text it is a line, and weighs its characters: when a line moves, all windows do.

Numbers that were written with fewer digits are the same example with another digest. So beside that lie sums of each example's
numbers with signs by lot, [examples, 4]: of the same one they are nearly the same, and of two others never all four.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatekeeper.data.texts import is_text, raw

FILE_NAME = "known.npy"
NEAR = "near.npy"
SIGNS = 4
CLOSE = 1e-5
"""Share of their spread by which the sums of one example differ where its numbers were rounded to six digits."""
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
    """Of arrays [examples, ...] by input name. Texts are the same or they are not."""
    import numpy as np

    count = len(next(iter(inputs.values())))
    parts = ([raw(array[i]) for array in inputs.values()] for i in range(count))
    _write(folder, parts, [1] * count)
    if any(map(is_text, inputs.values())):
        return
    flat = [array.reshape(count, int(np.prod(array.shape[1:]))) for array in inputs.values()]
    if sum(array.shape[1] for array in flat) >= SIGNS:
        generator = np.random.default_rng(0)
        np.save(folder / NEAR, sum(_signed(array, generator) for array in flat))


def _signed(rows: Any, generator: Any) -> Any:
    """Sums with signs by lot of rows [examples, numbers]: [examples, SIGNS]."""
    import numpy as np

    signs = generator.integers(0, 2, (rows.shape[1], SIGNS), dtype=np.int8).astype(np.float32) * 2 - 1
    step = max(1, (1 << 22) // max(rows.shape[1], 1))
    parts = [rows[i : i + step].astype(np.float64) @ signs for i in range(0, len(rows), step)]
    return np.concatenate(parts) if parts else np.zeros((0, SIGNS))


def write_lines(folder: Path, text: str) -> None:
    """Of the lines of a text."""
    lines = [line for each in text.split("\n") if (line := " ".join(each.split()))]
    _write(folder, ([line.encode("utf-8", "surrogatepass")] for line in lines), [len(line) for line in lines])


def overlap(evaluation: Path, calibration: Path) -> Overlap:
    """Of two prepared folders."""
    import numpy as np

    (digests, weights), (calibrated, _) = (np.load(folder / FILE_NAME) for folder in (evaluation, calibration))
    same = np.isin(digests, calibrated)
    if all((folder / NEAR).exists() for folder in (evaluation, calibration)):
        same |= _near(*(np.load(folder / NEAR) for folder in (evaluation, calibration)))
    return Overlap(int(weights[same].sum()), int(weights.sum()))


def _near(these: Any, others: Any) -> Any:
    """Which of `these` have all their sums close to those of one of the others, [examples]."""
    import numpy as np

    if these.shape[1] != others.shape[1]:
        return np.zeros(len(these), dtype=bool)
    reach = CLOSE * these.std(axis=0)
    others = others[np.argsort(others[:, 0])]
    first = np.searchsorted(others[:, 0], these[:, 0] - reach[0])
    last = np.searchsorted(others[:, 0], these[:, 0] + reach[0], side="right")
    windows = zip(these, first, last, strict=True)
    return np.array([bool((np.abs(others[a:b] - row) <= reach).all(axis=1).any()) for row, a, b in windows])


def _write(folder: Path, examples: Iterable[Sequence[Any]], weights: Sequence[int]) -> None:
    import numpy as np

    digests = []
    for parts in examples:
        one = hashlib.blake2b(digest_size=8)
        for part in parts:
            one.update(part)
        digests.append(int.from_bytes(one.digest()))
    np.save(folder / FILE_NAME, np.array([digests, weights], dtype=np.uint64))
