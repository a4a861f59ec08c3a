"""What tasks share that answer with several classes an example: at every token, at every pixel, for every label.

Answers and labels are whole numbers, [examples, ...], and `IGNORED` where nobody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.data.outputs import scores_of_classes as fits
from gatekeeper.data.prepared import IGNORED
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._counts import places
from gatekeeper.evaluate.tasks._axes import Way, read, shaped
from gatekeeper.evaluate.tasks._numbers import gather, label, takes

if TYPE_CHECKING:
    from gatekeeper.evaluate.metrics._base import Pair
    from gatekeeper.evaluate.tasks._base import Reading
    from gatekeeper.records.scores import KeptClass

__all__ = ["KEYS", "agreement", "check", "fits", "flat", "gather", "kept", "label", "read", "signs", "takes", "way"]

KEYS = ("ignore", "classes")
UNLABELLED = "share of places answered with the same class"


def way(baseline: Any, reading: Reading) -> Any:
    """Whole numbers, which are the classes."""
    return Way(reading)


def check(labels: Any, answers: Any, way: Way) -> Any:
    """Labels as whole numbers of the answers' shape; `NotMeasured` where they are none, or go beyond the classes."""
    import numpy as np

    if labels.shape != answers.shape and labels.size == answers.size:
        labels = labels.reshape(answers.shape)  # an axis of one more, or less
    if labels.shape != answers.shape:
        said = f"the labels have shape {shaped(labels.shape)} and the answers {shaped(answers.shape)}"
        raise NotMeasured("data", f"{said}. Save a label for every answer.")
    if labels.dtype.kind not in "biuf" or (labels != np.round(labels)).any():
        raise NotMeasured("data", f"labels must be whole numbers; these are {labels.dtype}. Save class indices.")
    whole = labels.astype(np.int64)
    seen = whole[whole != IGNORED]
    if not seen.size:
        raise NotMeasured("data", "every label is one that is left out (`dataset.ignore`). Label some of the set.")
    low, high = int(seen.min()), int(seen.max())
    if low < 0 or (way.classes is not None and high >= way.classes):
        has = f"and the output has {way.classes} classes" if way.classes is not None else "and none may be below 0"
        remedy = f"Where {low if low < 0 else high} means none, say so with `dataset.ignore`; else correct them."
        raise NotMeasured("data", f"the labels go from {low} to {high}, {has}. {remedy}")
    return whole if high > np.iinfo(np.int32).max else whole.astype(np.int32)


def agreement(baseline: Any, variant: Any) -> Pair:
    """Share of the places that are answered alike."""
    return places(baseline, variant, baseline)


def signs(baseline: Any, variant: Any) -> dict[str, float]:
    """Classes that are answered, and how many the variant still answers."""
    from gatekeeper.evaluate.collapse import of_classes

    return of_classes(flat(baseline, baseline), flat(variant, baseline))


def flat(answers: Any, baseline: Any) -> Any:
    """The answer at every place that is asked about."""
    return answers.reshape(-1)[baseline.reshape(-1) != IGNORED]


def kept(baseline: Any, variant: Any, truth: Any, slices: dict[str, Any], way: Way) -> list[KeptClass]:
    """The places of each class and the answers of each, places by where they are, and examples with nothing or little in them."""
    from gatekeeper.evaluate.by_amount import with_few, with_nothing
    from gatekeeper.evaluate.metrics._entities import OUTSIDE
    from gatekeeper.evaluate.places import commonest, of_classes, of_places

    right = baseline if truth is None else truth
    names, seen = way.reading.classes, right != IGNORED
    found = of_classes(right, seen, baseline, variant, names=names)
    found += of_places(seen, baseline == right, variant == right)
    background = names.index(OUTSIDE) if OUTSIDE in names else commonest(right, seen)
    called = f"class {names[background] if background < len(names) else background}"
    asked = seen.reshape(len(seen), -1).any(axis=1)
    there = [(seen & (each != background))[asked] for each in (right, baseline, variant)]
    found += with_nothing(f"examples with nothing but {called}", *there)
    few = (f"place beside {called}", f"places beside {called}")
    return found + with_few(few, seen & (right != background), baseline == right, variant == right)
