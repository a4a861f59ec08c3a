"""How much of an error budget each of several looks may spend, where what earlier looks saw is part of what later ones see.

Equal shares (Bonferroni) take looks for unrelated. They are not: the mean of 12 rounds holds that of the first 8. How often any
of them is wrong is the chance that a random walk crosses a boundary, found by integrating over where it is after each look
(P. Armitage, C. McPherson and B. Rowe, "Repeated significance tests on accumulating data", JRSS-A 132, 1969). A spending
function says how much of the budget may be used up by when (K. Lan and D. DeMets, "Discrete sequential boundaries for clinical
trials", Biometrika 70, 1983), and the boundary follows look by look. What is taken from it are levels, not z-values: each look is
then judged by Student's t at its level, as rounds are few. No library: every merge would import it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

Spending = Callable[[float, float], float]  # (part of the rounds, from 0 to 1; alpha) -> alpha spent by then

STEPS = 96
"""Of Simpson's rule."""
FAR = 8.0
"""Standard deviations beyond which a walk never is."""
Walk = Sequence[tuple[float, float]]  # where it may be, and with what probability
START: Walk = ((0.0, 1.0),)


def obrien_fleming(part: float, alpha: float) -> float:
    """Little at first: Lan and DeMets' form of O'Brien and Fleming's boundary."""
    return math.erfc(_upper(alpha / 2) / math.sqrt(2 * part)) if part > 0 else 0.0


def pocock(part: float, alpha: float) -> float:
    """Much at first: Lan and DeMets' form of Pocock's boundary."""
    return alpha * math.log1p((math.e - 1) * part)


def proportional(part: float, alpha: float) -> float:
    """As much as there are rounds: K. Kim and D. DeMets, "Design and analysis of group sequential tests", Biometrika 74, 1987."""
    return alpha * part


def _upper(level: float) -> float:
    """What a standard normal number is above with this probability. Imported late: `validate` imports this module, and asks no
    level.
    """
    from statistics import NormalDist

    return -NormalDist().inv_cdf(level)


def levels(looks: tuple[int, ...], spent: tuple[float, ...]) -> tuple[float, ...]:
    """One-sided level of each look, after so many rounds, such that by the k-th a walk has crossed with probability spent[k]."""
    return tuple(last_level(looks[:count], spent[:count]) for count in range(1, len(looks) + 1))


@lru_cache(maxsize=8192)
def last_level(looks: tuple[int, ...], spent: tuple[float, ...]) -> float:
    """The last of `levels`."""
    return math.erfc(_bound(looks, spent) / math.sqrt(2 * looks[-1])) / 2


@lru_cache(maxsize=8192)
def _bound(looks: tuple[int, ...], spent: tuple[float, ...]) -> float:
    """What a walk must be above at the last of these looks to have crossed."""
    if len(looks) == 1:
        return _crossed_with(START, 0, looks[0], spent[0])
    return _crossed_with(_uncrossed(looks[:-1], spent[:-1]), looks[-2], looks[-1], spent[-1] - spent[-2])


@lru_cache(maxsize=1024)
def _uncrossed(looks: tuple[int, ...], spent: tuple[float, ...]) -> Walk:
    """Where a walk is at the last of these looks if it has crossed at none: what further looks begin with."""
    walk, before = (_uncrossed(looks[:-1], spent[:-1]), looks[-2]) if len(looks) > 1 else (START, 0)
    return _below(walk, before, looks[-1], _bound(looks, spent))


def crossing(looks: Sequence[int], nominal: Sequence[float]) -> float:
    """How often a walk crosses at any of these looks, each at its level."""
    walk, total, before = START, 0.0, 0
    for here, level in zip(looks, nominal, strict=True):
        bound = _upper(level) * math.sqrt(here)
        total += _above(walk, before, here, bound)
        walk, before = _below(walk, before, here, bound), here
    return total


def _below(walk: Walk, before: int, here: int, bound: float) -> Walk:
    """Where a walk is after `here` rounds if it is below `bound`."""
    low = -FAR * math.sqrt(here)
    size, width = (bound - low) / STEPS, math.sqrt(here - before)
    found = []
    for index in range(STEPS + 1):
        place = low + index * size
        weight = size / 3 * (1 if index in (0, STEPS) else 4 if index % 2 else 2)
        density = math.fsum(mass * math.exp(-0.5 * ((place - start) / width) ** 2) for start, mass in walk)
        found.append((place, weight * density / (width * math.sqrt(2 * math.pi))))
    return found


def _above(walk: Walk, before: int, here: int, bound: float) -> float:
    """How often it is above `bound` then."""
    width = math.sqrt(2 * (here - before))
    return math.fsum(mass * math.erfc((bound - start) / width) for start, mass in walk) / 2


def _crossed_with(walk: Walk, before: int, here: int, chance: float) -> float:
    """The bound that it is above with this probability."""
    low, high = 0.0, 2 * FAR * math.sqrt(here)
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _above(walk, before, here, middle) > chance else (low, middle)
    return (low + high) / 2
