"""Metrics that add counts up over all examples before a share is taken: F1 and IoU of classes at many places.

Answers and labels are whole numbers, [examples, ...]. A place labelled `IGNORED` counts nowhere.
"""

from __future__ import annotations

from typing import Any

from gatekeeper.data.parts import parts
from gatekeeper.data.prepared import IGNORED
from gatekeeper.evaluate.metrics._base import Compare, Pair
from gatekeeper.records.scores import Counts, PairedScores

SHUFFLED = 20
"""Random orders that are tried; of very many answers fewer, which come to the same."""
_CHUNK = 1 << 22  # places read at once
_LOOKED = 1 << 30  # comparisons of a place with a class


def tables(answers: Any, labels: Any, classes: int) -> tuple[Any, Any, Any]:
    """Places labelled with each class, answered with it, and rightly so, each [examples, classes]."""
    import numpy as np

    found = []
    for part in parts(answers, _CHUNK):
        given, truth = (np.asarray(a[part]).reshape(-1, answers[0].size) for a in (answers, labels))
        rows = np.arange(len(given))[:, None] * classes
        seen = truth != IGNORED

        def count(of: Any, where: Any, rows: Any = rows) -> Any:
            return np.bincount((rows + of)[where], minlength=len(rows) * classes).reshape(len(rows), classes)

        found.append((count(truth, seen), count(given, seen & (given != IGNORED)), count(truth, seen & (given == truth))))
    labelled, given, right = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return labelled, given, right


def width(*arrays: Any) -> int:
    """How many classes there are."""
    return 1 + max(int(array.max()) for array in arrays)


def pooled(baseline: Any, variant: Any, labels: Any, union: bool = False) -> Pair:
    """The mean over classes of F1, or of IoU (`union`), both from the counts of all examples together."""
    classes = width(baseline, variant, labels)
    labelled, *theirs = tables(baseline, labels, classes)
    ours = theirs if variant is baseline else tables(variant, labels, classes)[1:]  # a guess is held against itself
    return of_tables(labelled, theirs, ours, union)


def of_tables(labelled: Any, baseline: Any, variant: Any, union: bool = False) -> Pair:
    """The same, of tables; each of the models' is what it answers and what of that is right."""
    import numpy as np

    from gatekeeper.stats.pooled import values

    counts = Counts(np.stack([labelled, *baseline, *variant]), union)
    p, q = (side[1].sum(axis=1).astype(float) for side in (variant, baseline))
    return Pair(*values(counts), PairedScores("pooled", p=p, q=q, examples=len(p), counts=counts))


def places(baseline: Any, variant: Any, labels: Any) -> Pair:
    """Share of the places answered rightly; examples are what is drawn, and the longest may be lost unseen."""
    import numpy as np

    seen, *right = (each.reshape(len(labels), -1).sum(axis=1) for each in _rights(labels, baseline, variant))
    size = seen.mean()
    b, v = (each / size for each in right)
    scores = PairedScores("real", p=v, q=b, examples=len(b), unseen=float(np.max(seen) / size))
    return Pair(float(b.mean()), float(v.mean()), scores)


def _rights(labels: Any, *models: Any) -> list[Any]:
    seen = labels != IGNORED
    return [seen, *((answers == labels) & seen for answers in models)]


def guess(compare: Compare, answers: Any, labels: Any) -> float | None:
    """What an answer that does not look scores by a metric: the commonest class at every place, or at each the one that is
    commonest there, the model's own answers to another example, or in random order; None where every label is the same.
    """
    import numpy as np

    seen = labels != IGNORED
    names, counts = np.unique(labels[seen], return_counts=True)
    if len(names) < 2:
        return None
    generator, shuffled = np.random.default_rng(0), np.array(answers)
    there = np.broadcast_to(_commonest(labels, names), shuffled.shape)
    best = max(
        score(compare, each, labels) for each in (np.full_like(shuffled, names[counts.argmax()]), there.astype(shuffled.dtype))
    )
    for _ in range(max(1, min(SHUFFLED, _CHUNK // labels.size))):
        shuffled[seen] = generator.permutation(np.asarray(answers)[seen])
        other = np.asarray(answers)[generator.permutation(len(labels))]
        best = max(best, score(compare, shuffled, labels), score(compare, np.where(other == IGNORED, names[0], other), labels))
    return float(best)


def _commonest(labels: Any, names: Any) -> Any:
    """The class that is commonest at each place, [1, ...]; of very many labels as some examples have it."""
    import numpy as np

    labels = labels[:: 1 + labels.size * len(names) // _LOOKED]
    best, most = np.full(labels.shape[1:], names[0]), np.full(labels.shape[1:], -1)
    for name in names:
        count = (labels == name).sum(axis=0)
        best, most = np.where(count > most, name, best), np.maximum(count, most)
    return best[None]


def score(compare: Compare, answers: Any, labels: Any) -> float:
    """What answers score by a metric of two models."""
    return compare(answers, answers, labels).baseline
