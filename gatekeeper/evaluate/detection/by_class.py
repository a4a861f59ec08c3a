"""What is found, how well it fits, and what is found wrongly, group by group, from the score on with which a detector is used.

Mean average precision reads the order of boxes alone. It does not see wrong boxes that are less sure than every right one, nor
boxes of a class that is nowhere labelled, nor scores that have all become small; and one class of eighty, or what is small, is
little of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from gatekeeper.evaluate.detection.average_precision import Matches
from gatekeeper.evaluate.detection.form import CLASS, CROWD, SCORE, TRUE_CLASS, held
from gatekeeper.evaluate.detection.matching import matches
from gatekeeper.evaluate.detection.working import working_scores
from gatekeeper.evaluate.groups import MOST_CLASSES, kept_class
from gatekeeper.evaluate.places import by_example, by_size, pooled, together
from gatekeeper.records.scores import KeptClass

HALF = 0.5
"""Overlap from which on a box is right."""


@dataclass(frozen=True)
class Used:
    """What a model finds with the scores it is used with: at each overlap the true boxes that it finds [overlaps, images, most],
    and how many boxes it shows in each image of each class, and how many of them are wrong, those of classes that are not
    labelled last [images, classes + 1].
    """

    hit: Any
    shown: Any
    wrong: Any


def kept_boxes(
    baseline: Any,
    variant: Any,
    truth: Any,
    slices: dict[str, Any],
    names: Sequence[str] = (),
    overlaps: Sequence[float] = (HALF,),
    threshold: float | None = None,
) -> list[KeptClass]:
    """True boxes that are found, by class, by size and by group of each slice; the same counted at each of several `overlaps`,
    of which the first is a half; boxes that are shown, of which no more may be wrong than were; and images that hold no box.
    """
    import numpy as np

    counted = held(truth, TRUE_CLASS) & (truth[:, :, CROWD] == 0)
    kinds = np.unique(truth[:, :, TRUE_CLASS][counted])
    found = [_proper(boxes) for boxes in (baseline, variant)]
    matched = [matches(boxes, truth, overlaps) for boxes in found]
    least = working_scores(matched[0], threshold)
    both = [_used(*each, kinds, *least, counted.shape) for each in zip(found, matched, strict=True)]
    return grouped(both, truth, counted, kinds, slices, names)


def grouped(
    both: Sequence[Used], truth: Any, counted: Any, kinds: Any, slices: dict[str, Any], names: Sequence[str]
) -> list[KeptClass]:
    """Every group, of what the baseline and the variant find of those true boxes that are counted, [images, most]."""
    import numpy as np

    groups: list[KeptClass] = []
    for name, of, where in _places(truth, counted, kinds, slices, names):
        groups += _found(name, of, where, both)
    for name, rows, column in _showing(kinds, slices, names):
        shown, before, after = both[0].shown[rows][:, column], both[0].wrong[rows][:, column], both[1].wrong[rows][:, column]
        gone, more = (np.maximum(each, 0).sum(axis=1) for each in (before - after, after - before))
        if shown.any():
            groups.append(_shown(name, shown.sum(axis=1), gone, more))
    nothing = ~held(truth, TRUE_CLASS).any(axis=1)
    if nothing.any():
        still, now = (each.shown[nothing].sum(axis=1) == 0 for each in both)
        groups.append(kept_class("images without a box", still, now, part=True))
    return sorted(groups, key=lambda each: (each.part, bool(each.slice), -each.examples))[:MOST_CLASSES]


def _proper(boxes: Any) -> Any:
    """Boxes of which none has less than no size: what has is none that could be drawn, and wrong wherever it is."""
    import numpy as np

    proper = np.array(boxes)
    turned = (proper[:, :, 2:4] < proper[:, :, :2]).any(axis=2)
    proper[:, :, 2:4][turned] = proper[:, :, :2][turned]
    return proper


def _used(boxes: Any, of: Matches, kinds: Any, least: Any, least_of_others: float, shape: tuple[int, int]) -> Used:
    import numpy as np

    images, classes = shape[0], len(kinds)
    hit = np.zeros((len(of.right), *shape), bool)
    use = of.score >= least[of.kind]
    for t, took in enumerate(of.took):
        taken = use & (took >= 0)
        hit[t, of.image[taken], took[taken]] = True
    counted = use & of.counts[0]
    place = of.image * classes + of.kind
    shown, wrong = (
        np.bincount(place[rows], minlength=images * classes).reshape(images, classes)
        for rows in (counted, counted & ~of.right[0])
    )
    used = held(boxes, SCORE) & (boxes[:, :, SCORE].astype(float) >= least_of_others)  # compared as those of the classes are
    others = (used & ~np.isin(boxes[:, :, CLASS], kinds)).sum(axis=1)[:, None]
    return Used(hit, *(np.concatenate([each, others], axis=1) for each in (shown, wrong)))


def _places(
    truth: Any, counted: Any, kinds: Any, slices: dict[str, Any], names: Sequence[str]
) -> Iterator[tuple[str, str | None, Any]]:
    """Groups of true boxes: what each is called, of which slice it is a group (none of a class, `None` of what is neither), and
    which it holds, [images, most].
    """
    import numpy as np

    for kind in kinds:
        yield _named(kind, names), "", counted & (truth[:, :, TRUE_CLASS] == kind)
    areas = np.where(counted, (truth[:, :, 2:4] - truth[:, :, :2]).prod(axis=2), 0)
    for low, high, rows in by_size(np.ceil(areas).astype(np.int64).reshape(-1)):
        yield f"boxes of {low:,} to {high:,} square pixels", None, rows.reshape(counted.shape)
    for of, values in slices.items():
        for value in np.unique(values):
            yield f"{of} = {value}", of, counted & (values == value)[:, None]


def _found(name: str, of: str | None, where: Any, both: Sequence[Used]) -> Iterator[KeptClass]:
    """How many of a group are found, and that counted at every overlap."""
    overlaps = len(both[0].hit)
    labelled, before, after = where.sum(axis=1), *(each.hit & where for each in both)
    right, now, same = (hits[0].sum(axis=1) for hits in (before, after, before & after))
    yield replace(pooled(name, labelled, right, now, same, part=of is None), slice=of or "")
    yield from by_example(f"{name}, each image as one", labelled, right, now)
    if overlaps > 1:
        right, now, same = (hits.sum(axis=(0, 2)) for hits in (before, after, before & after))
        yield replace(pooled(f"fit of {name}", overlaps * labelled, right, now, same, part=True), parts=overlaps)


def _showing(kinds: Any, slices: dict[str, Any], names: Sequence[str]) -> Iterator[tuple[str, Any, Any]]:
    """Groups of boxes that are shown: what each is called, of which images, and which columns of classes."""
    import numpy as np

    every, all_classes = slice(None), slice(None)
    yield "boxes shown", every, all_classes
    for c, kind in enumerate(kinds):
        yield f"boxes shown of {_named(kind, names)}", every, slice(c, c + 1)
    for of, values in slices.items():
        for value in np.unique(values):
            yield f"boxes shown, {of} = {value}", values == value, all_classes


def _shown(name: str, shown: Any, gone: Any, more: Any) -> KeptClass:
    """Boxes of each image that the baseline shows, beside the wrong ones that the variant adds, less those that it leaves out:
    where the same true ones are found, the ratio of both precisions. How many are shown is chance, as how many are added is, so
    that all of them together are what is drawn.
    """
    whole, added, fewer = (int(each.sum()) for each in (shown, more, gone))
    return KeptClass(
        name=name,
        examples=int((shown > 0).sum()),
        both=whole,
        only_baseline=added,
        only_variant=fewer,
        part=True,
        given=whole,
        places=whole + added + fewer,
        together=max(together(each) for each in (shown, more, gone)),
    )


def _named(kind: float, names: Sequence[str]) -> str:
    return f"class {names[int(kind)] if int(kind) < len(names) else int(kind)}"
