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
UNLABELLED = "share of items within a twentieth of the original's rank among all"


def read(outputs: Any, way: Any) -> Any:
    """One score an item."""
    scores = outputs.reshape(len(outputs), -1)
    if scores.shape[1] != 1:
        raise NotMeasured(
            "model", f"the output has shape {outputs.shape}, and an item has one score. Name it with `model.output`."
        )
    return scores[:, 0].astype(float)


def check(labels: Any, answers: Any, way: Any) -> Any:
    """Relevance and query."""
    from gatekeeper.evaluate.metrics._ranked import queries

    if labels.ndim != 2 or labels.shape[1] != 2 or labels.dtype.kind not in "iuf":
        raise NotMeasured("data", f"the labels have shape {labels.shape}. Labels of ranking are {LABELS}.")
    labels = labels.astype(float)
    if labels[:, 0].min() < 0:
        raise NotMeasured("data", f"the least relevance is {labels[:, 0].min():g}. Labels of ranking are {LABELS}.")
    sizes = [len(rows) for rows in queries(labels[:, 1])]
    if max(sizes) < 2:
        raise NotMeasured("data", "no query has two items, so there is nothing to rank. The second column numbers the queries.")
    return labels


def takes(outputs: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """One score, and two numbers an item."""
    return len(labels) == 2 and labels[1] == 2 and (len(outputs) == 1 or outputs[1:] == (1,))


def agreement(baseline: Any, variant: Any) -> Pair:
    """Share of items, in tenths of all, that are as high as with the baseline: without labels no query is known."""
    import numpy as np
    from scipy.stats import rankdata

    from gatekeeper.evaluate.metrics._base import binary

    before, after = (rankdata(scores) / len(scores) for scores in (baseline, variant))
    return binary(np.ones(len(before), bool), np.abs(before - after) <= 0.05)
