"""Examples that are copies but for a trifle: other inputs, which a model answers as it answers another one.

What is compared are sums with signs by lot, four of each row: of the same rows they are the same, and of two others never all.
Rows fall into cells ten times as wide as what counts as the same, twice, the second time half a cell aside, so that two that lie
near share one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SAME = 1e-6
"""Share of their spread within which numbers are the same."""
CELL = 10
SIGNS = 4
ROWS = 1 << 22  # numbers read at once
EDGE = 0.01
"""Share of the lowest and of the highest values that do not count for a spread: one of them may be of any size."""

LEAST = 0.1
"""Share of the size of rows that sums are taken to spread by at least: of a row that never changes only rounding does."""


@dataclass(frozen=True)
class Near:
    """Examples beyond the first of their kind: those that are answered alike, and of these those that are asked alike, too."""

    answered: int = 0
    asked: int = 0


def near(inputs: list[Any], answers: Any) -> Near:
    """Of distinct examples, [examples, ...] of each input and of the judged output.

    Whole numbers, and scores at their very ends, such as 0 and 1, are given to very different examples: those count
    only where the inputs are alike as well.
    """
    import numpy as np

    if answers.dtype.kind not in "biuf" or len(answers) < 2 or not answers.size:
        return Near()
    asked = np.concatenate(
        [_sums(array) for array in inputs if array.dtype.kind in "biuf" and array.size] or [np.zeros((len(answers), 0))], axis=1
    )
    given = _sums(answers)
    alike, both = _groups(given), _groups(np.concatenate([given, asked], axis=1))
    telling = ~_at_an_end(answers) if answers.dtype.kind == "f" and answers[0].size > 1 else np.zeros(len(answers), bool)
    firsts = np.unique(np.where(telling, alike, len(answers) + both))
    return Near(len(answers) - len(firsts), len(answers) - len(np.unique(both)))


def _sums(rows: Any) -> Any:
    """At most four numbers of each row, in cells: [examples, at most 4]."""
    import numpy as np

    count, width = len(rows), int(np.prod(rows.shape[1:]))
    step = max(1, ROWS // max(width, 1))
    generator = np.random.default_rng(0)
    signs = (
        np.eye(width) if width <= SIGNS else generator.integers(0, 2, (width, SIGNS), dtype=np.int8).astype(np.float32) * 2 - 1
    )
    parts, size = [], 0.0
    for i in range(0, count, step):
        part = np.asarray(rows[i : i + step]).reshape(-1, width).astype(float)
        parts.append(part @ signs)
        size += float(np.linalg.norm(part, axis=1).sum()) / count
    found = np.concatenate(parts)
    low, high = np.quantile(found, [EDGE, 1 - EDGE], axis=0)
    inner = np.clip(found, low, high).std(axis=0)
    spread = np.maximum(np.where(inner > 0, inner, found.std(axis=0)), LEAST * size)
    return found / np.where(spread > 0, spread, 1.0) / (SAME * CELL)


def _groups(cells: Any) -> Any:
    """The number of each row's group, [examples]: those that share a cell belong together, and all that share one with them."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count, edges = len(cells), []
    for aside in (0.0, 0.5):
        of = np.unique(np.floor(cells + aside), axis=0, return_inverse=True)[1].reshape(-1)
        first = np.unique(of, return_index=True)[1]
        edges.append(np.stack([np.arange(count), first[of]]))
    rows, columns = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _at_an_end(answers: Any) -> Any:
    """Whether all numbers of an answer are 0, 1 or -1, [examples]: what is sure, cut off or empty."""
    import numpy as np

    flat = np.asarray(answers).reshape(len(answers), -1)
    size = np.abs(flat)
    return ((size <= SAME) | (np.abs(size - 1) <= SAME)).all(axis=1)
