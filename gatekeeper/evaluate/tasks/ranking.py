"""A score for each item of a query: learning to rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured

if TYPE_CHECKING:
    from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "ranking"
ANSWERS = "numbers"
DESCRIPTION = "a score for each item of a query, the best first"
LABELS = "[items, 2]: how relevant an item is, 0 or more, and the number of its query"
UNLABELLED = "the labels [items], the number of the query alone: the items are then as relevant as the original ranks them"


def read(outputs: Any, way: Any) -> Any:
    """One score an item."""
    scores = outputs.reshape(len(outputs), -1)
    if scores.shape[1] != 1:
        raise NotMeasured(
            "model", f"the output has shape {outputs.shape}, and an item has one score. Name it with `model.output`."
        )
    return scores[:, 0].astype(float)


def check(labels: Any, answers: Any, way: Any) -> Any:
    """Relevance and query. Where the query alone is known, the lowest item with the original is of no relevance, the next of 1,
    and so on.
    """
    import numpy as np
    from scipy.stats import rankdata

    from gatekeeper.evaluate.metrics._ranked import queries

    alone = labels.size == len(labels)
    if labels.dtype.kind not in "iuf" or not (alone or (labels.ndim == 2 and labels.shape[1] == 2)):
        raise NotMeasured("data", f"the labels have shape {labels.shape}. Labels of ranking are {LABELS}; or {UNLABELLED}.")
    found = labels.reshape(len(labels), -1).astype(float)
    rows = queries(found[:, -1])
    if max(map(len, rows)) < 2:
        raise NotMeasured("data", "no query has two items, so there is nothing to rank. The last column numbers the queries.")
    if alone:
        relevance = np.zeros(len(found))
        for each in rows:
            relevance[each] = rankdata(answers[each], method="dense") - 1
        return np.column_stack([relevance, found[:, 0]])
    if found[:, 0].min() < 0:
        raise NotMeasured("data", f"the least relevance is {found[:, 0].min():g}. Labels of ranking are {LABELS}.")
    return found


def takes(outputs: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """One score, and two numbers an item."""
    return len(labels) == 2 and labels[1] == 2 and (len(outputs) == 1 or outputs[1:] == (1,))


def agreement(baseline: Any, variant: Any) -> Pair:
    """Items are ranked among those of their query, and which these are nothing tells: among all, whole queries keep their places
    while the order in each is another.
    """
    remedy = "Save the number of each item's query as `y`, or 0 for all where they are one."
    raise NotMeasured("data", f"which items are ranked together is not known. {remedy}")
