"""Right and wrong answers at several places an example, counted by class and by where in the example they are.

Places of one example are lost together, so that each count also says how many of them are worth one (`KeptClass.together`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec

from gatekeeper.data.parts import parts
from gatekeeper.evaluate.groups import MOST_CLASSES
from gatekeeper.records.scores import KeptClass

SINGLE = 64
"""Places along an axis that are looked at one by one; of more, as many stretches of them."""
PARTS = 1000
"""An example of which a share is right is counted in so many."""
LENGTHS = 4
"""Groups of examples by how many places they have."""
_CHUNK = 1 << 22  # places read at once


def pooled(name: str, labelled: Any, before: Any, after: Any, both: Any, *, part: bool = False) -> KeptClass:
    """One group, of counts of each example, [examples]: its places, those that each model gets right, and those that both do."""
    whole, right, now, same = (int(each.sum()) for each in (labelled, before, after, both))
    return KeptClass(
        name=name,
        examples=int((labelled > 0).sum()),
        both=same,
        only_baseline=right - same,
        only_variant=now - same,
        part=part,
        places=whole,
        together=max(together(labelled), together(before)),
    )


def together(counts: Any) -> float:
    """How many of these, [examples], are worth one, where those of an example are lost together: with sizes that differ n of them
    are worth n^2 / sum n_i^2 (Kish, "Survey Sampling", 1965).
    """
    each = counts.astype(float)
    total = float(each.sum())
    return max(1.0, float((each * each).sum()) / total) if total > 0 else 1.0


def of_classes(truth: Any, seen: Any, baseline: Any, variant: Any, called: str = "class", names: Any = ()) -> list[KeptClass]:
    """Of whole numbers [examples, ...], where they are `seen`: the places of each class, those with most first, and the answers
    of each, of which no more may be wrong than were.
    """
    import numpy as np

    classes = 1 + max(int(np.max(each, where=seen, initial=0)) for each in (truth, baseline, variant))
    labelled = _count(truth, seen, classes)
    right = [_count(truth, seen & (each == truth), classes) for each in (baseline, variant)]
    both = _count(truth, seen & (baseline == truth) & (variant == truth), classes)
    given, apart = _count(baseline, seen, classes), seen & (baseline != variant)
    gone, more = (_count(each, apart & (each != truth), classes) for each in (baseline, variant))
    found: list[KeptClass] = []
    for c in np.argsort(-(labelled + given).sum(axis=0), kind="stable")[: MOST_CLASSES // 2]:
        name = f"{called} {names[c] if c < len(names) else c}"
        if labelled[:, c].any():
            found.append(pooled(name, labelled[:, c], right[0][:, c], right[1][:, c], both[:, c]))
            found += by_example(f"{name}, each example as one", labelled[:, c], right[0][:, c], right[1][:, c])
        if given[:, c].any():
            found.append(answers_of(f"answers of {name}", given[:, c], gone[:, c], more[:, c]))
    return found


def commonest(truth: Any, seen: Any) -> int:
    """The class of most places that are `seen`."""
    import numpy as np

    return int(_count(truth, seen, 1 + int(np.max(truth, where=seen, initial=0))).sum(axis=0).argmax())


def by_example(name: str, labelled: Any, before: Any, after: Any) -> list[KeptClass]:
    """Shares of the places of each example, [examples], where not all have as many: few are lost in the places of all."""
    own = labelled[labelled > 0]
    if not own.size or own.min() == own.max():
        return []
    return [of_shares(name, *(each[labelled > 0] / own for each in (before, after)), part=True)]


def of_shares(name: str, before: Any, after: Any, *, part: bool = False) -> KeptClass:
    """A group of examples that are worth one each, by the share of it that is right, [examples]: what both have is the lesser."""
    import numpy as np

    b, v = (np.round(PARTS * each).astype(int) for each in (before, after))
    return msgspec.structs.replace(pooled(name, np.full(len(b), PARTS), b, v, np.minimum(b, v), part=part), parts=PARTS)


def answers_of(name: str, given: Any, gone: Any, more: Any) -> KeptClass:
    """The answers of a class in each example, [examples], and of wrong ones those that the variant no longer gives, and those
    that it adds: each of these takes one from them, as each of the others adds one.
    """
    whole, added = int(given.sum()), int(more.sum())
    return KeptClass(
        name=name,
        examples=int((given > 0).sum()),
        both=whole - min(added, whole),
        only_baseline=min(added, whole),
        only_variant=int(gone.sum()),
        part=True,
        given=whole,
        places=whole + int(gone.sum()),
        together=max(together(given), together(more), together(gone)),
    )


def of_places(seen: Any, before: Any, after: Any) -> list[KeptClass]:
    """The places of [examples, ...] along each axis, one by one or in stretches; of a single axis also as they are counted from
    both ends of what is `seen`, and examples by how much of them is. `before` and `after` say which are right.
    """
    before, after = before & seen, after & seen
    tables = (seen, before, after, before & after)
    axes = [axis for axis in range(1, seen.ndim) if seen.shape[axis] > 1]
    found = []
    for axis in axes:
        others = tuple(i for i in range(1, seen.ndim) if i != axis)
        along = "step" if len(axes) == 1 else f"axis {axis}"
        sums = [table.sum(axis=others) for table in tables]
        for first, end in _stretches(seen.shape[axis]):
            found.append(pooled(_called(along, first, end), *(each[:, first:end].sum(axis=1) for each in sums), part=True))
    if len(axes) == 1:
        flat = [table.reshape(len(seen), -1) for table in tables]
        found += [*_from_ends(*flat), *_by_length(*flat)]
    return [each for each in found if each.both + each.only_baseline]


def _called(along: str, first: int, end: int) -> str:
    return f"{along} {first}" if end == first + 1 else f"{along}s {first} to {end - 1}"


def _stretches(length: int) -> Iterator[tuple[int, int]]:
    edges = [length * i // SINGLE for i in range(SINGLE + 1)] if length > SINGLE else list(range(length + 1))
    return pairwise(edges)


def _from_ends(seen: Any, *right: Any) -> list[KeptClass]:
    """First and last places of each example: one, the next, the next two, four, and so on. Where every example has all of a few
    places, they are looked at one by one already.
    """
    import numpy as np

    if seen.all() and seen.shape[1] <= SINGLE:
        return []
    found = []
    for end, order in (("first", slice(None)), ("last", slice(None, None, -1))):
        number = np.where(seen[:, order], seen[:, order].cumsum(axis=1) - 1, -1)[:, order]
        low, high = 0, 1
        while low <= number.max():
            rows = (number >= low) & (number < high)
            name = f"the {end} step" if high == 1 else f"{end} steps {low + 1} to {high}"
            found.append(pooled(name, *((each & rows).sum(axis=1) for each in (seen, *right)), part=True))
            low, high = high, 2 * high
    return found


def _by_length(seen: Any, *right: Any) -> list[KeptClass]:
    """Examples by their length, where it differs."""
    length = seen.sum(axis=1)
    tables = [each.sum(axis=1) for each in (seen, *right)]
    return by_example("examples, each as one", *tables[:3]) + [
        pooled(f"examples of {low if low == high else f'{low} to {high}'} steps", *(each[rows] for each in tables), part=True)
        for low, high, rows in by_size(length)
    ]


def by_size(sizes: Any) -> list[tuple[int, int, Any]]:
    """Groups of examples of nearly as many each, from the least of these sizes, [examples], to the largest: the smallest and the
    largest of a group, and its rows. None where all are of one size.
    """
    import numpy as np

    kinds = np.unique(sizes[sizes > 0])
    if len(kinds) < 2:
        return []
    edges = np.unique(np.quantile(sizes[sizes > 0], np.linspace(0, 1, LENGTHS + 1)[1:-1], method="higher"))
    number = np.searchsorted(edges, sizes, side="left")
    groups = ((number == i) & (sizes > 0) for i in range(len(edges) + 1))
    return [(int(sizes[rows].min()), int(sizes[rows].max()), rows) for rows in groups if rows.any()]


def _count(of: Any, where: Any, classes: int) -> Any:
    """How many places of each class there are in each example, [examples, classes]."""
    import numpy as np

    found = []
    for part in parts(of, _CHUNK):
        values, rows = of[part].reshape(-1, of[0].size), where[part].reshape(-1, of[0].size)
        place = (np.arange(len(values))[:, None] * classes + values)[rows]
        found.append(np.bincount(place, minlength=len(values) * classes).reshape(len(values), classes))
    return np.concatenate(found)
