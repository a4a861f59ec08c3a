"""Some examples that stand for a whole evaluation set, drawn evenly over its sizes and its order.

Sets are often sorted, by length, class or date: the first of them are no more than the first.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from gatekeeper.data.texts import characters, is_text

GOLDEN = 0.6180339887498949
STEPS_AN_OCTAVE = 4
"""Sizes count as alike when they differ by less than a fourth of an octave: a black corner of an image is no shorter image."""
CHUNK_BYTES = 16 << 20


def draw(count: int, most: int, seed: int, sizes: Sequence[int] = ()) -> list[int]:
    """At most `most` of `count` examples, each with the same chance: one out of each stretch of the set, sorted by `sizes`
    and then by its order. All of them where there are no more.

    Within a stretch the order is shuffled: what comes back every so many examples (one camera in eight) is then neither always
    drawn nor never. They come in an order in which any few that follow each other are spread over the whole, too.
    """
    if most < 1 or count < 0:
        raise ValueError(f"at least one example is drawn, not {most} of {count}")
    ranked = sorted(range(count), key=lambda i: sizes[i]) if sizes else list(range(count))
    kept = min(most, count)
    generator = random.Random(seed)
    start = generator.random()
    for i in range(kept):
        stretch = ranked[i * count // kept : (i + 1) * count // kept]
        generator.shuffle(stretch)
        ranked[i * count // kept : (i + 1) * count // kept] = stretch
    # Integers, so that the last of very many examples is not rounded past the end.
    chosen = [ranked[(i * count + int(start * count)) // kept] if kept < count else ranked[i] for i in range(kept)]
    return [chosen[i] for i in spread(kept)]


def spread(count: int) -> list[int]:
    """0 to `count` - 1, so that every few neighbours are spread evenly: by the fractions of multiples of the golden ratio."""
    return sorted(range(count), key=lambda i: (i * GOLDEN) % 1)


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of `count` things in their order, one out of each stretch: the same ones always."""
    return sorted(draw(count, most, 0)) if count else []


def sizes(inputs: Mapping[str, Any]) -> list[int]:
    """How large each example is, in steps of a fourth of an octave: of the input that is padded least, the elements between
    what is repeated at its beginning and at its end, of texts their characters. Arrays of shape [examples, ...] are padded to one
    shape.
    """
    import numpy as np

    lengths = [
        characters(array) if is_text(array) else _lengths(array) for array in inputs.values() if array.ndim > 1 or is_text(array)
    ]
    if not lengths:
        return []
    steps = np.round(STEPS_AN_OCTAVE * np.log2(1.0 + np.max(lengths, axis=0))).astype(int)
    return [int(step) for step in steps]


def loudest(inputs: Mapping[str, Any]) -> int | None:
    """The example with the number that is farthest from zero, of the inputs that are no whole numbers; None without such."""
    import numpy as np

    peaks = [_peaks(array) for array in inputs.values() if array.dtype.kind == "f" and array.ndim > 1 and array.size]
    # Each input has a scale of its own, and an example may be loud in any of them.
    scaled = [peak / scale for peak in peaks if (scale := float(np.median(peak))) > 0]
    return int(np.max(scaled, axis=0).argmax()) if scaled else None


def _peaks(array: Any) -> Any:
    """The largest size of a number in each example."""
    import numpy as np

    step = max(1, CHUNK_BYTES // max(1, array[0].nbytes))
    parts = (np.asarray(array[start : start + step]) for start in range(0, len(array), step))
    return np.concatenate([np.abs(part.reshape(len(part), -1)).max(axis=1) for part in parts]).astype(float)


def _lengths(array: Any) -> Any:
    """Elements of each example that are not padding."""
    import numpy as np

    count = len(array)
    width = int(np.prod(array.shape[1:]))
    lengths = np.full(count, width)
    if width < 2:
        return lengths
    step = max(1, CHUNK_BYTES // max(1, width * array.dtype.itemsize))
    for start in range(0, count, step):
        rows = np.asarray(array[start : start + step]).reshape(-1, width)
        runs = np.maximum(_run(rows), _run(rows[:, ::-1]))
        lengths[start : start + step] = np.where(runs < width, width - runs, width)
    return lengths


def _run(rows: Any) -> Any:
    """How often the first element of each row is repeated at its beginning; 0 where the second differs from it."""
    import numpy as np

    runs = np.zeros(len(rows), dtype=int)
    [again] = np.nonzero(rows[:, 0] == rows[:, 1])
    if len(again):
        differs = rows[again] != rows[again, :1]
        runs[again] = np.where(differs.any(axis=1), differs.argmax(axis=1), rows.shape[1])
    return runs
