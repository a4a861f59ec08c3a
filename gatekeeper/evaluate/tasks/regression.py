"""Numbers that are estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatekeeper.evaluate.metrics._base import Pair
    from gatekeeper.records.scores import KeptClass

FAMILY = "regression"
ANSWERS = "numbers"
DESCRIPTION = "one or several numbers an example"
LABELS = "as many numbers an example as the output has"

ALIKE = 0.05
"""How far a number may be from the baseline's and be alike, in units of the baseline's own spread (see room.py)."""

FAR = 0.25
"""How much farther off a number may be and be no fault, in units of the labels' own spread: one that is so far off everywhere
explains some 6 % less of their variance."""
EDGES = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)
"""Shares of the examples between which their numbers are looked at by themselves: most is lost at the ends, where few are."""
MOST_NUMBERS = 64
"""Of more than so many numbers an example the lowest and the highest of each are looked at all together."""


def check(labels: Any, answers: Any, way: Any) -> Any:
    """Labels as they are, of as many numbers as the answers have."""
    from gatekeeper.evaluate.metrics._base import errors

    errors(answers[:1], labels[:1])
    return labels


def agreement(baseline: Any, variant: Any) -> Pair:
    """Share of examples of which every number is within 5 % of the baseline's own spread."""
    import numpy as np

    from gatekeeper.evaluate.metrics._base import binary
    from gatekeeper.evaluate.room import room

    b, v = (outputs.reshape(len(outputs), -1).astype(float) for outputs in (baseline, variant))
    same = (np.abs(v - b) <= room(b, b, ALIKE)).all(axis=1)
    return binary(np.ones(len(same), dtype=bool), same)


def kept(baseline: Any, variant: Any, truth: Any, slices: dict[str, Any], way: Any) -> list[KeptClass]:
    """Examples by how large each of their numbers is, and in how many of them it is not much farther off than the baseline's: a
    variant that goes no higher than so far answers well on average.
    """
    import numpy as np

    from gatekeeper.evaluate.groups import kept_class
    from gatekeeper.evaluate.room import room, told

    b, v = (outputs.reshape(len(outputs), -1).astype(float) for outputs in (baseline, variant))
    right = b if truth is None else truth.reshape(len(truth), -1).astype(float)
    if right.shape != b.shape:
        return []
    good = np.abs(v - right) <= np.abs(b - right) + room(right, b, FAR)
    if b.shape[1] > MOST_NUMBERS:
        return _ends(right, good, told(right, b))
    found = []
    for j in range(b.shape[1]):
        number = np.searchsorted(np.unique(np.quantile(right[:, j], EDGES)), right[:, j], side="left")
        for i in np.unique(number):
            rows = number == i
            low, high = right[rows, j].min(), right[rows, j].max()
            found.append(
                kept_class(f"[{j}] from {low:.4g} to {high:.4g}", np.ones(int(rows.sum()), bool), good[rows, j], part=True)
            )
    return found


def _ends(right: Any, good: Any, told: Any) -> list[KeptClass]:
    """The lowest and the highest of every number, and those of which nothing is `told` by themselves: how many are good. All are
    [examples, numbers], but `told`, [numbers].
    """
    import numpy as np

    from gatekeeper.evaluate.places import pooled

    low, high = np.quantile(right, (EDGES[0], EDGES[-1]), axis=0)
    found = []
    differ = told & (low < high)
    for name, rows in (
        ("the lowest of each number", differ & (right <= low)),
        ("the highest of each number", differ & (right > high)),
        ("numbers that hardly differ", ~differ & np.ones(right.shape, bool)),
    ):
        labelled, kept = rows.sum(axis=1), (rows & good).sum(axis=1)
        found.append(pooled(name, labelled, labelled, kept, kept, part=True))
    return [each for each in found if each.places]
