"""When a variant answers nothing any more, by numbers that a report holds: whoever judges it again comes to the same.

An average may hide it: where 96 % of the examples are of one class, answering that class whatever comes keeps 96 % of the
accuracy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from gatekeeper.records.base import Verdict

FEWEST = 16
FEWER = 0.05
"""A variant of at most so many different answers, and at most this share of the original's, has collapsed."""

FLAT = 1e-6
"""Share of the original's variance below which a variant's answers are all the same but for rounding."""

ALIKE = 0.5
"""Share of nearest neighbours of which more must stay among the nearest."""

SURE = 1 + 1e-3
"""The highest score of a box that is sure, with what rounding adds to it."""

HALF = 0.5
"""Of what the original does better than chance more must be kept: nine in ten of its right answers may be what a guess gets."""

Numbers = Mapping[str, float]
LARGEST = sys.float_info.max
SIGNS = "signs"
"""The key that lists by which signs a variant was judged."""


def one_class(n: Numbers) -> bool:
    return n["classes_before"] > 1 and n["classes"] == 1


def classes_lost(n: Numbers) -> bool:
    return n["classes_before"] > 1 and n["often"] > 1 and n["often_kept"] <= n["often"] / 2


def flat(n: Numbers) -> bool:
    return n["spread_before"] > 0 and n["spread"] <= FLAT * n["spread_before"]


def few_values(n: Numbers) -> bool:
    return n["spread_before"] > 0 and n["different"] <= min(FEWEST, FEWER * n["different_before"])


def other_neighbours(n: Numbers) -> bool:
    """Embeddings are used to find what is alike: the nearest ones must mostly stay the nearest."""
    return n["neighbours_kept"] < ALIKE


def guesses(n: Numbers) -> bool:
    """No better than a guess, or by no more than half of what the original is."""
    return n["score"] <= n["guess"] or n["score"] - n["guess"] <= HALF * (n["before"] - n["guess"])


def means(n: Numbers) -> bool:
    return not n["explained"] > max(0.0, HALF * n["explained_before"])


def one_surety(n: Numbers) -> bool:
    """A detector whose boxes are all as sure as each other: no score to use them from tells any apart."""
    return n["surety_before"] > 0 and n["surety"] <= FLAT * n["surety_before"]


def no_scores(n: Numbers) -> bool:
    """Scores of boxes beyond one, where the original's are shares."""
    return n["surest_before"] <= SURE < n["surest"]


JUDGED: dict[str, tuple[tuple[str, ...], tuple[Callable[[Numbers], bool], ...]]] = {
    "finite": (("not_finite",), (lambda n: n["not_finite"] > 0,)),
    "classes": (("classes", "classes_before", "often", "often_kept"), (one_class, classes_lost)),
    "values": (("spread", "spread_before", "different", "different_before"), (flat, few_values)),
    "neighbours": (("neighbours_kept",), (other_neighbours,)),
    "boxes": (("surety", "surety_before", "surest", "surest_before"), (one_surety, no_scores)),
    "guess": (("score", "guess", "before"), (guesses,)),
    "mean": (("explained", "explained_before"), (means,)),
}
"""Every sign of a collapse: the numbers that it is read from, and what they then are."""


def fallen(numbers: Numbers) -> bool:
    """Whether a variant has collapsed, by any sign whose numbers are there."""
    there = (ways for names, ways in JUDGED.values() if names[0] in numbers and all(name in numbers for name in names))
    return any(says(numbers) for ways in there for says in ways)


def stated(numbers: Numbers) -> dict[str, Any]:
    """The numbers for a report, and by which signs they were judged."""
    return {SIGNS: [sign for sign, (names, _) in JUDGED.items() if names[0] in numbers], **numbers}


def again(details: Mapping[str, Any], labels: bool) -> Verdict | None:
    """What the numbers of a report show: FAIL of a collapse, ERROR where any is not there, None where all speak against it.

    Of a text there are none: what is held against the original are its likeliest tokens.
    """
    answers = details.get("answers")
    if not isinstance(answers, dict) or not isinstance(signs := answers.get(SIGNS), list):
        return Verdict.ERROR
    if not signs:
        return None if len(answers) == 1 and all(map(_number, map(details.get, TEXT))) else Verdict.ERROR
    known = _known(*map(str, signs))
    numbers = {key: value for key, value in answers.items() if key != SIGNS and _number(value)}
    if fallen(numbers):
        return Verdict.FAIL
    whole = known is not None and numbers.keys() == known and len(numbers) == len(answers) - 1
    return None if whole and ("guess" in signs or "values" in signs or not labels) else Verdict.ERROR


TEXT = ("kl_mean", "same_top")
"""What is there of every text."""


@lru_cache(maxsize=64)
def _known(*signs: str) -> frozenset[str] | None:
    """The numbers of signs by which something can be judged; None where one is unknown, or they are too few."""
    if not JUDGED.keys() >= set(signs) or "finite" not in signs or not {"values", "classes"} & set(signs):
        return None
    return frozenset(name for sign in signs for name in JUDGED[sign][0])


def _number(value: Any) -> bool:
    """Whether it can be counted with: a stranger may write a whole number that is larger than any fraction."""
    return type(value) in (int, float) and -LARGEST <= value <= LARGEST
