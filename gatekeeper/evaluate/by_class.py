"""Which classes a comparison looks at one by one: those of the judged output, of other outputs, and groups of slices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.groups import kept_elsewhere
from gatekeeper.evaluate.places import pooled
from gatekeeper.evaluate.tasks._base import Task
from gatekeeper.records.scores import KeptClass


def by_class(
    judged: Task | None,
    way: Any,
    own: bool,
    files: tuple[Path, Path],
    answers: tuple[Any, Any],
    labels: Any,
    units: Any,
    slices: dict[str, Any],
    doubts: Mapping[str, Any] = MappingProxyType({}),
    places: Any = None,
) -> list[KeptClass]:
    """Right answers by class and by group of each slice, of distinct examples; without labels, the baseline's own answers are
    right. `units` numbers the distinct examples; files and answers are the baseline's and the variant's. Of a metric of the
    user's `own` it is not known what it compares, nor without a task what the answers are. `doubts` are places, by what they are
    called, that are looked at by themselves, as it is not known whether anybody asks there. `places` are where in the files the
    answers stand, if they are not all there is.
    """
    import numpy as np

    first = np.unique(units, return_index=True)[1]
    elsewhere = kept_elsewhere(*files, first if places is None else places[first])
    if judged is None:
        return elsewhere
    theirs, ours = (each[first] for each in answers)
    try:
        truth = None if labels is None else judged.check(labels, answers[0], way)
        found = judged.kept(theirs, ours, None if truth is None else truth[first], {k: v[first] for k, v in slices.items()}, way)
    except NotMeasured:
        if not own:
            raise
        return elsewhere  # a metric of the user's own reads labels and outputs in a way of its own
    for name, where in doubts.items():
        there, same = where[first].reshape(len(first), -1), (theirs == ours).reshape(len(first), -1)
        counts = there.sum(axis=1), (there & same).sum(axis=1)
        found.append(pooled(name, counts[0], counts[0], counts[1], counts[1], part=True))
    return found + elsewhere
