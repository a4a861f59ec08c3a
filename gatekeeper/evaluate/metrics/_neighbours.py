"""Whether the nearest vectors of others are of the same thing."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics._base import Pair, binary
from gatekeeper.gates.accuracy import LEAST_EXAMPLES
from gatekeeper.records.scores import PairedScores

PIECE = 1 << 22


def compare(baseline: Any, variant: Any, labels: Any, most: int) -> Pair:
    """Share of queries with one of the same thing among the nearest by cosine; of vectors and labels [examples, 2]: which thing,
    and whether it is a query. A query is never its own neighbour; those of which there is no other are left out.

    Queries of one thing are lost together, so things are what is counted, where there are enough of them; else each query, and
    the gate `worst_class` looks at the things one by one.
    """
    import numpy as np

    things = np.unique(labels[asked(labels), 0], return_inverse=True)[1].reshape(-1)
    return paired(things, *(found(vectors, labels, most) for vectors in (baseline, variant)))


def paired(things: Any, baseline: Any, variant: Any) -> Pair:
    """Queries that are answered rightly, by the number of the thing of each."""
    import numpy as np

    sizes = np.bincount(things)
    if len(sizes) < LEAST_EXAMPLES or len(sizes) == len(things):
        return binary(baseline, variant)
    q, p = (np.bincount(things, weights=each) / sizes.mean() for each in (baseline, variant))
    scores = PairedScores("real", p=p, q=q, examples=len(sizes), unseen=float(sizes.max() / sizes.mean()))
    return Pair(float(baseline.mean()), float(variant.mean()), scores)


def asked(labels: Any) -> Any:
    """Queries of which there is another to be found, [examples]."""
    import numpy as np

    _, of = np.unique(labels[:, 0], return_inverse=True)
    of, query = of.reshape(-1), labels[:, 1] > 0
    there = np.bincount(of, weights=searched(labels).astype(float))
    return query & (there[of] - searched(labels) > 0)


def searched(labels: Any) -> Any:
    """Examples among which is searched: those that are no queries, or all where all are."""
    import numpy as np

    query = labels[:, 1] > 0
    return np.ones(len(labels), bool) if query.all() else ~query


def found(vectors: Any, labels: Any, most: int) -> Any:
    """Of each query whether one of its thing is among the nearest, [queries]."""
    import numpy as np

    flat = vectors.reshape(len(vectors), -1).astype(float)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    unit = np.divide(flat, norms, out=np.zeros_like(flat), where=norms > 0)
    rows, among = np.flatnonzero(asked(labels)), np.flatnonzero(searched(labels))
    right = np.zeros(len(rows), bool)
    step = max(1, PIECE // len(among))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        near = unit[part] @ unit[among].T
        near[part[:, None] == among] = -np.inf
        same = labels[among, 0] == labels[part, 0][:, None]
        best = np.where(same, near, -np.inf).max(axis=1, keepdims=True)
        # Of others that are as near, none counts as nearer only by its place: they all stand before it.
        right[start : start + step] = ((near >= best) & ~same).sum(axis=1) < most
    return right


def guess(labels: Any, most: int) -> float:
    """What vectors that say nothing get: one of the same thing among so many that are drawn by lot."""
    import numpy as np

    among = searched(labels)
    own = np.bincount(labels[among, 0], minlength=int(labels[:, 0].max()) + 1)
    rows = asked(labels)
    others, same = among.sum() - among[rows], own[labels[rows, 0]] - among[rows]
    missed = np.ones(int(rows.sum()))
    for drawn in range(most):
        missed *= np.clip((others - same - drawn) / np.maximum(others - drawn, 1), 0, 1)
    return float(1 - missed.mean())
