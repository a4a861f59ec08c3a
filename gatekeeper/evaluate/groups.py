"""Right and wrong answers class by class: an average over all may hide that one class is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.data.outputs import outputs_beside
from gatekeeper.records.scores import KeptClass

MOST_CLASSES = 1000


def kept_classes(groups: Any, baseline: Any, variant: Any, slice_of: str = "") -> list[KeptClass]:
    """Counts of each group, those with most examples first, from groups and right answers of shape [examples].

    Groups are classes, or those of the slice that is named.
    """
    import numpy as np

    found = []
    labels, counts = np.unique(groups, return_counts=True)
    for label in labels[np.argsort(-counts, kind="stable")][:MOST_CLASSES]:
        inside = groups == label
        b, v = baseline[inside].astype(bool), variant[inside].astype(bool)
        found.append(
            KeptClass(
                name=f"{slice_of} = {label}" if slice_of else f"class {label}",
                examples=int(inside.sum()),
                both=int((b & v).sum()),
                only_baseline=int((b & ~v).sum()),
                only_variant=int((~b & v).sum()),
                slice=slice_of,
            )
        )
    return found


COLUMNS = 16
"""Whole numbers of at most so many columns are classes of their own in each: an answer to another question."""

MOST_VALUES = 100
"""Whole numbers of more kinds than that count something, or stand for texts: they are no classes."""


def kept_answers(baseline: Any, variant: Any, called: str = "class") -> list[KeptClass]:
    """Of answers of shape [examples, positions], the examples that have a class, and how many keep most of its positions.

    Examples are counted, and not positions, which belong together.
    """
    import numpy as np

    theirs, ours = (outputs.reshape(len(outputs), -1) for outputs in (baseline, variant))
    values, counts = np.unique(theirs, return_counts=True)
    found = []
    for value in values[np.argsort(-counts, kind="stable")][:MOST_CLASSES]:
        there = theirs == value
        has = there.sum(axis=1)
        kept = 2 * (there & (ours == value)).sum(axis=1) >= has
        examples, both = int((has > 0).sum()), int((kept & (has > 0)).sum())
        found.append(
            KeptClass(name=f"{called} {value}", examples=examples, both=both, only_baseline=examples - both, only_variant=0)
        )
    return found


def kept_columns(baseline: Any, variant: Any, called: str = "class") -> list[KeptClass]:
    """The same of whole numbers, of shape [examples, ...], column by column where there are few."""
    theirs, ours = (outputs.reshape(len(outputs), -1) for outputs in (baseline, variant))
    if theirs.shape[1] == 1 or theirs.shape[1] > COLUMNS:
        return kept_answers(theirs, ours, called)
    columns = range(theirs.shape[1])
    return [each for i in columns for each in kept_answers(theirs[:, i], ours[:, i], f"[{i}] {called}")]


def kept_elsewhere(baseline: Path, variant: Path, first: Any) -> list[KeptClass]:
    """Classes of the outputs beside two files of predictions, of whole numbers of few kinds; of the examples `first` alone."""
    import numpy as np

    ours, theirs = outputs_beside(variant), outputs_beside(baseline)
    found = []
    for name, file in theirs.others.items():
        before = np.load(baseline.with_name(file), mmap_mode="r")
        if before.dtype.kind not in "iub" or name not in ours.others:
            continue
        after = np.load(variant.with_name(ours.others[name]), mmap_mode="r")
        if before.shape == after.shape and 1 < len(np.unique(before)) <= MOST_VALUES:
            found += kept_columns(before[first].astype(int), after[first].astype(int), name)
    return found
