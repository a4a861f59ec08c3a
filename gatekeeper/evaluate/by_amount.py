"""Examples by how much is in them: in most there is nothing or little to find, and one that has much outweighs them all."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.groups import kept_class
from gatekeeper.evaluate.places import pooled
from gatekeeper.records.scores import KeptClass

SPECK = 10_000
"""One in so many pixels comes and goes with rounding, and is no thing."""


def with_nothing(name: str, there: Any, before: Any, after: Any) -> list[KeptClass]:
    """The examples of [examples, ...] in which nothing is `there`, and which of them each model leaves clean, but for specks that
    are smaller than whatever there is elsewhere.
    """
    held, said, now = (each.reshape(len(there), -1).sum(axis=1) for each in (there, before, after))
    if held.all():
        return []
    size = there[0].size
    speck = min(size // SPECK, int(held[held > 0].min(initial=size)) - 1)
    return [kept_class(name, (said <= speck)[held == 0], (now <= speck)[held == 0], part=True)]


def with_few(called: tuple[str, str], there: Any, before: Any, after: Any) -> list[KeptClass]:
    """Examples with one thing, with two, with three or four, and so on, and of the places of [examples, ...] where something is
    `there` those at which each model is right. `called` is what one is, and what several are.
    """
    import numpy as np

    held, right, now, both = (
        each.reshape(len(there), -1).sum(axis=1) for each in (there, there & before, there & after, there & before & after)
    )
    number = np.where(held > 0, np.ceil(np.log2(np.maximum(held, 1))), -1)
    kinds = [i for i in np.unique(number).tolist() if i >= 0]
    found = []
    for i in kinds if len(kinds) > 1 else []:
        rows = number == i
        low, high = int(held[rows].min()), int(held[rows].max())
        name = f"examples with {low if low == high else f'{low} to {high}'} {called[high > 1]}"
        found.append(pooled(name, *(each[rows] for each in (held, right, now, both)), part=True))
    return [each for each in found if each.both + each.only_baseline]
