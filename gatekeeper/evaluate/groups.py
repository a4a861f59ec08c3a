"""Right and wrong answers class by class: an average over all may hide that one class is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.data.outputs import outputs_beside
from gatekeeper.records.scores import KeptClass

MOST_CLASSES = 10_000
"""Classes that are looked at, the commonest; where there are more, the report says that the others are not."""


def kept_classes(groups: Any, baseline: Any, variant: Any, slice_of: str = "", called: str = "class") -> list[KeptClass]:
    """Counts of each group, those with most examples first, from groups and right answers of shape [examples].

    Groups are classes, or those of the slice that is named.
    """
    import numpy as np

    labels, of, counts = np.unique(groups, return_inverse=True, return_counts=True)
    b, v, of = baseline.astype(bool), variant.astype(bool), of.reshape(-1)
    both, only_b, only_v = (np.bincount(of[rows], minlength=len(labels)) for rows in (b & v, b & ~v, ~b & v))
    return [
        KeptClass(
            name=f"{slice_of} = {labels[i]}" if slice_of else f"{called} {labels[i]}",
            examples=int(counts[i]),
            both=int(both[i]),
            only_baseline=int(only_b[i]),
            only_variant=int(only_v[i]),
            slice=slice_of,
        )
        for i in np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    ]


def kept_given(baseline: Any, variant: Any, right: Any) -> list[KeptClass]:
    """The answers of each class, [examples], commonest first: most of a rare one may be wrong while hardly any example is."""
    import numpy as np

    from gatekeeper.evaluate.places import answers_of

    names, of = np.unique(np.concatenate([baseline, variant]), return_inverse=True)
    before, after = of.reshape(2, -1)
    moved = before != after
    wrong = (moved & (own != right) for own in (baseline, variant))
    given = np.bincount(before, minlength=len(names))
    gone, more = (np.bincount(each[rows], minlength=len(names)) for each, rows in zip((before, after), wrong, strict=True))
    return [
        answers_of(f"answers of class {names[i]}", *(np.ones(int(each[i]), int) for each in (given, gone, more)))
        for i in np.argsort(-given, kind="stable")[:MOST_CLASSES]
        if given[i]
    ]


def kept_class(name: str, baseline: Any, variant: Any, *, part: bool = False) -> KeptClass:
    """Counts of one class, or of a part of the answers, of whether each model finds it in every example that has it."""
    both, only_b, only_v = (int(rows.sum()) for rows in (baseline & variant, baseline & ~variant, ~baseline & variant))
    return KeptClass(name=name, examples=len(baseline), both=both, only_baseline=only_b, only_variant=only_v, part=part)


COLUMNS = 16
"""Whole numbers of at most so many columns are classes of their own in each: an answer to another question."""

MOST_VALUES = 100
"""Whole numbers of more kinds than that count something, or stand for texts: they are no classes."""


def kept_answers(baseline: Any, variant: Any, called: str = "class") -> list[KeptClass]:
    """Of answers of shape [examples, positions], of which the baseline's are right, the places of each class."""
    import numpy as np

    from gatekeeper.evaluate.places import of_classes

    theirs, ours = (outputs.reshape(len(outputs), -1) for outputs in (baseline, variant))
    if theirs.shape[1] == 1:
        return kept_classes(theirs[:, 0], np.ones(len(theirs)), ours[:, 0] == theirs[:, 0], called=called)
    names, of = np.unique(np.stack([theirs, ours]), return_inverse=True)
    before, after = of.reshape(2, *theirs.shape)
    return of_classes(before, np.ones(before.shape, bool), before, after, called, names.tolist())


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
