"""Which answers were right with the baseline and are wrong with the variant, example by example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gatekeeper.evaluate.metrics._base import class_labels, classes
from gatekeeper.evaluate.metrics._positions import several
from gatekeeper.records.flips import MOST, Flip, Flips

LONGEST = 60
"""Characters of an answer that are shown."""


def one_answer(baseline: Any, labels: Any) -> bool:
    """Whether answers are one class an example: labels say so, and where there are none the output does."""
    return labels is not None or not several(baseline)


def of_classes(baseline: Any, variant: Any, labels: Any, units: Any, places: Any, names: Sequence[str]) -> Flips:
    """Of distinct examples, numbered by `units`, that stand at `places` in the set; without labels the baseline is right."""
    import numpy as np

    theirs, ours = classes(baseline), classes(variant, baseline)
    truth = theirs if labels is None else class_labels(labels, baseline)
    if labels is not None and labels.dtype.kind in "US" and theirs.dtype.kind not in "US":
        names = [str(name) for name in np.unique(labels)]
    first = np.sort(np.unique(units, return_index=True)[1])
    before, after = (theirs == truth)[first], (ours == truth)[first]
    lost = first[before & ~after]
    shown = [
        Flip(
            example=str(int(places[i])),
            label=_name(truth[i], names),
            baseline=_name(theirs[i], names),
            variant=_name(ours[i], names),
        )
        for i in lost[:MOST]
    ]
    return Flips(lost=len(lost), gained=int((after & ~before).sum()), shown=shown)


def of_texts(
    names: Sequence[str], right: Sequence[str], baseline: Sequence[Any], variant: Sequence[Any], p: Any, q: Any
) -> Flips:
    """Of distinct prompts by their names, with the first answer to each; they score `p` with the variant, and `q` before."""
    import numpy as np

    lost = np.flatnonzero(p < q)
    worst = lost[np.argsort((p - q)[lost], kind="stable")][:MOST]
    shown = [
        Flip(example=names[i], label=short(right[i]), baseline=short(str(baseline[i])), variant=short(str(variant[i])))
        for i in worst
    ]
    return Flips(lost=len(lost), gained=int((p > q).sum()), shown=shown)


def short(text: str) -> str:
    """As much of an answer as is shown."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _name(answer: Any, names: Sequence[str]) -> str:
    """A class by its name, where it has one."""
    if isinstance(answer, str):
        return short(answer)
    return short(names[int(answer)]) if 0 <= int(answer) < len(names) else str(int(answer))
