"""Which classes a comparison looks at one by one: those of the judged output, of other outputs, and groups of slices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.groups import kept_answers, kept_classes, kept_columns, kept_elsewhere
from gatekeeper.evaluate.metrics._base import CLASSIFICATION, class_labels, family
from gatekeeper.evaluate.metrics._base import classes as classes_of
from gatekeeper.evaluate.metrics._positions import positions, several
from gatekeeper.records.scores import KeptClass

if TYPE_CHECKING:
    from gatekeeper.evaluate.score import Score


def by_class(
    request: Score, name: str, baseline: Any, variant: Any, labels: Any, units: Any, slices: dict[str, Any]
) -> list[KeptClass]:
    """Right answers by class and by group of each slice, of distinct examples; without labels, the baseline's own answers are
    right. `units` numbers the distinct examples.
    """
    import numpy as np

    first = np.unique(units, return_index=True)[1]
    elsewhere = kept_elsewhere(Path(request.baseline), Path(request.variant), first)
    if not of_classes(name, request.task):
        return elsewhere
    if labels is None and several(baseline):
        if slices:
            said = "`dataset.slices` counts right and wrong answers, and the judged output has several an example. Remove it."
            raise NotMeasured("data", said)
        return _several(baseline[first], variant[first], baseline) + elsewhere
    try:
        theirs, ours = classes_of(baseline), classes_of(variant, baseline)
        truth = theirs if labels is None else class_labels(labels, baseline)
    except NotMeasured:
        if family(name) == CLASSIFICATION:
            raise
        return elsewhere  # a metric of the user's own reads labels and outputs in a way of its own
    groups = {"": truth} | slices
    right = theirs[first] == truth[first], ours[first] == truth[first]
    return [each for name, of in groups.items() for each in kept_classes(of[first], *right, name)] + elsewhere


def _several(baseline: Any, variant: Any, reference: Any) -> list[KeptClass]:
    """Of outputs with several answers an example."""
    if baseline.dtype.kind in "iub":
        return kept_columns(baseline.astype(int), variant.astype(int))
    theirs, ours = positions(baseline, reference), positions(variant, reference)
    return kept_columns(theirs, ours) if baseline.ndim == 2 else kept_answers(theirs, ours)


def of_classes(name: str, task: str | None) -> bool:
    """Whether there are classes: by the metric; where it is the user's own, or there is none, by the task."""
    known = family(name)
    if known:
        return known == CLASSIFICATION
    return task.endswith("classification") if task else name == "agreement"
