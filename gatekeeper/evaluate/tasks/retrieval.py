"""Vectors by which others of the same thing are found: the same face, product or place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.tasks.embedding import agreement, signs

if TYPE_CHECKING:
    from gatekeeper.records.scores import KeptClass

FAMILY = "retrieval"
ANSWERS = "numbers"
DESCRIPTION = "a vector an example, by which others of the same thing are found"
LABELS = (
    "[examples]: the number or name of the thing, each example being a query among all others; or [examples, 2]: that number, "
    "and 1 for a query or 0 for one that is searched"
)
UNLABELLED = "mean cosine with the original's vector, as they are or each less the mean of all, whichever is less"

__all__ = ["agreement", "check", "kept", "signs", "takes"]


def check(labels: Any, answers: Any, way: Any) -> Any:
    """Things as numbers, and which are queries, [examples, 2]."""
    import numpy as np

    from gatekeeper.evaluate.metrics._neighbours import asked

    columns = labels.reshape(len(labels), -1)
    if columns.shape[1] > 2 or (columns.shape[1] == 2 and not np.isin(columns[:, 1].astype(str), ("0", "1", "0.0", "1.0")).all()):
        raise NotMeasured("data", f"the labels have shape {labels.shape}. Labels of retrieval are {LABELS}.")
    things = np.unique(columns[:, 0], return_inverse=True)[1].reshape(-1)
    query = columns[:, 1].astype(float) if columns.shape[1] == 2 else np.ones(len(things))
    found = np.stack([things, query], axis=1).astype(np.int64)
    if not asked(found).any():
        raise NotMeasured("data", "no query has another example of the same thing, so there is nothing to find. Add some.")
    return found


def takes(outputs: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """Any vector, with one number an example, would do, so that none speaks for it."""
    return False


def kept(baseline: Any, variant: Any, truth: Any, slices: dict[str, Any], way: Any) -> list[KeptClass]:
    """Queries of each thing that has several."""
    from gatekeeper.evaluate.groups import kept_classes
    from gatekeeper.evaluate.metrics._neighbours import asked, found

    if truth is None:
        return []
    before, after = (found(vectors, truth, 1) for vectors in (baseline, variant))
    each = kept_classes(truth[asked(truth), 0], before, after, called="queries for thing")
    return [one for one in each if one.examples > 1]
