"""Copies of an example count once, whatever the metric: their scores become one, the mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gatekeeper.records.scores import Counts, PairedScores


def once(scores: PairedScores, units: Any) -> PairedScores:
    """Scores of the distinct examples, which `units` numbers from 0 for each example given."""
    import numpy as np

    count = int(units.max()) + 1 if len(units) else 0
    copies = len(units) - count
    if not copies:
        return scores
    if scores.kind == "classes":
        return replace(scores, unit=units, examples=count, copies=copies)
    if scores.kind == "pooled" and scores.counts is not None:
        return _counted_once(scores, scores.counts, units, count)
    if len(scores.p) != len(units):  # of a metric of the whole set, which has left the copies out
        return replace(scores, copies=copies)
    size = np.bincount(units, minlength=count)
    p, q = (np.bincount(units, weights=values, minlength=count) / size for values in (scores.p, scores.q))
    own = None if scores.own is None else np.bincount(units, weights=scores.own, minlength=count) / size
    mixed = scores.kind == "binary" and not (np.isin(p, (0, 1)).all() and np.isin(q, (0, 1)).all())
    return replace(scores, kind="bounded" if mixed else scores.kind, p=p, q=q, examples=count, copies=copies, own=own)


def _counted_once(scores: PairedScores, counts: Counts, units: Any, distinct: int) -> PairedScores:
    """Counts of the distinct examples, each the mean of its copies'."""
    import numpy as np

    table = np.zeros((len(counts.table), distinct, counts.table.shape[2]))
    for row, values in zip(table, counts.table, strict=True):
        np.add.at(row, units, values)
    table /= np.bincount(units, minlength=distinct)[:, None]
    p, q = table[4].sum(axis=1), table[2].sum(axis=1)
    found = replace(counts, table=table)
    return replace(scores, p=p, q=q, counts=found, examples=distinct, copies=len(units) - distinct)
