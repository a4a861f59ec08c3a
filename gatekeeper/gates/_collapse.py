"""When a variant answers nothing any more, by numbers that a report holds: whoever judges it again comes to the same.

An average may hide it: where 96 % of the examples are of one class, answering that class whatever comes keeps 96 % of the
accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gatekeeper.records.base import Verdict

FEWEST = 16
FEWER = 0.05
"""A variant of at most so many different answers, and at most this share of the original's, has collapsed."""

FLAT = 1e-6
"""Share of the original's variance below which a variant's answers are all the same but for rounding."""

ALIKE = 0.5
"""Share of nearest neighbours of which more must stay among the nearest."""

Numbers = Mapping[str, float]
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
    return n["score"] <= n["guess"]


def means(n: Numbers) -> bool:
    return not n["explained"] > 0


JUDGED: dict[str, tuple[tuple[str, ...], tuple[Callable[[Numbers], bool], ...]]] = {
    "finite": (("not_finite",), (lambda n: n["not_finite"] > 0,)),
    "classes": (("classes", "classes_before", "often", "often_kept"), (one_class, classes_lost)),
    "values": (("spread", "spread_before", "different", "different_before"), (flat, few_values)),
    "neighbours": (("neighbours_kept",), (other_neighbours,)),
    "guess": (("score", "guess"), (guesses,)),
    "mean": (("explained",), (means,)),
}
"""Every sign of a collapse: the numbers that it is read from, and what they then are."""


def fallen(numbers: Numbers) -> bool:
    """Whether a variant has collapsed, by any sign whose numbers are there."""
    return any(says(numbers) for names, ways in JUDGED.values() if all(name in numbers for name in names) for says in ways)


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
    numbers = {key: value for key, value in answers.items() if _number(value)}
    try:
        if fallen(numbers):
            return Verdict.FAIL
        asked = {SIGNS, *(name for sign in signs for name in JUDGED[sign][0])}
    except (KeyError, TypeError):  # a sign that nobody knows
        return Verdict.ERROR
    if not signs:
        whole = answers.keys() == {SIGNS} and all(_number(details.get(key)) for key in ("kl_mean", "same_top"))
    else:
        whole = "finite" in signs and ("values" in signs or ("classes" in signs and ("guess" in signs or not labels)))
    return None if whole and asked == answers.keys() and len(numbers) == len(answers) - 1 else Verdict.ERROR


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
