"""Examples that are copies but for a trifle: other inputs, which a model answers as it answers another one.

What is compared are sums with signs by lot, four of each row: of the same rows they are the same, and of two others never all.
Rows fall into cells ten times as wide as what counts as the same, twice, the second time half a cell aside, so that two that lie
near share one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gatekeeper.data.distinct import numbered
from gatekeeper.data.texts import raw

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


def near(inputs: list[Any], answers: Any, rows: Any = None) -> Near:
    """Of distinct examples, [examples, ...] of each input and of the judged output; `rows` are where they stand, if not all do.

    Whole numbers, and scores at their very ends, such as 0 and 1, are given to very different examples: those count
    only where the inputs are alike as well.
    """
    import numpy as np

    rows = np.arange(len(answers)) if rows is None else rows
    if answers.dtype.kind not in "biuf" or len(rows) < 2 or not answers.size:
        return Near()
    told = [_sums(array, rows)[0] if array.dtype.kind in "biuf" else _each(array, rows) for array in inputs if array.size]
    given, sure = _sums(answers, rows)
    alike, both = _groups(given), _groups(np.concatenate([given, *told], axis=1))
    telling = ~sure if answers.dtype.kind == "f" and answers[0].size > 1 else np.zeros(len(rows), bool)
    firsts = np.unique(np.where(telling, alike, len(rows) + both))
    return Near(len(rows) - len(firsts), len(rows) - len(np.unique(both)))


def _each(array: Any, rows: Any) -> Any:
    """A cell for each text that there is: no two are nearly the same."""
    return numbered(raw(array[i]) for i in rows)[:, None]


def _sums(array: Any, rows: Any) -> tuple[Any, Any]:
    """At most four numbers of each row, in cells: [rows, at most 4]; and whether all its numbers are 0, 1 or -1: what is sure,
    cut off or empty.
    """
    import numpy as np

    width = int(np.prod(array.shape[1:]))
    step = max(1, ROWS // max(width, 1))
    signs = np.eye(width) if width <= SIGNS else _signs(width)
    sums, sizes, sure = [], [], []
    for start in range(0, len(rows), step):
        part = np.asarray(array[rows[start : start + step]]).reshape(-1, width).astype(float)
        sums.append(part @ signs)
        sizes.append(np.linalg.norm(part, axis=1))
        of = np.abs(part)
        sure.append(((of <= SAME) | (np.abs(of - 1) <= SAME)).all(axis=1))
    found = np.concatenate(sums)
    low, high = np.quantile(found, [EDGE, 1 - EDGE], axis=0)
    inner = np.clip(found, low, high).std(axis=0)
    spread = np.maximum(np.where(inner > 0, inner, found.std(axis=0)), LEAST * np.concatenate(sizes).mean())
    return found / np.where(spread > 0, spread, 1.0) / (SAME * CELL), np.concatenate(sure)


def _signs(width: int) -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(0, 2, (width, SIGNS), dtype=np.int8).astype(np.float32) * 2 - 1


def _groups(cells: Any) -> Any:
    """The number of each row's group, [examples]: those that share a cell belong together, and all that share one with them."""
    import numpy as np

    count, edges = len(cells), []
    for aside in (0.0, 0.5):
        of = np.unique(np.floor(cells + aside), axis=0, return_inverse=True)[1].reshape(-1)
        first = np.unique(of, return_index=True)[1]
        edges.append(np.stack([np.arange(count), first[of]]))
    rows, columns = np.concatenate(edges, axis=1)
    if (rows == columns).all():  # none shares a cell: what the graph would say takes longer to import than to see
        return np.arange(count)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(count, count))
    return connected_components(graph, directed=False)[1]
