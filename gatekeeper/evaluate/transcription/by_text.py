"""Texts one by one: a rate over the letters of all hides that short ones are lost, or the end of each, or a single letter.

A text is worth one however long it is; of that counts the share of its letters that is right.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from gatekeeper.evaluate.groups import MOST_CLASSES
from gatekeeper.evaluate.metrics._edits import edits
from gatekeeper.evaluate.places import answers_of, by_size, of_shares, pooled
from gatekeeper.records.scores import KeptClass

ENDS = 10
"""One in so many letters is of the beginning, and as many of the end, if it is but one."""
COUNTED = 1 << 26
"""Letters are counted in each text, the commonest, while there are so few such counts."""


def kept_texts(baseline: Any, variant: Any, truth: Any) -> list[KeptClass]:
    """Of texts [examples] all, those of some length, their ends, those that should be empty, and each letter, lost or made up."""
    import numpy as np

    lengths = np.asarray([len(text) for text in truth.tolist()])
    written = lengths > 0
    whole = [shares(answers, truth) for answers in (baseline, variant)]
    silent = [np.asarray([not text for text in answers.tolist()], float)[~written] for answers in (baseline, variant)]
    found = [of_shares("texts", *(each[written] for each in whole)), of_shares("texts with nothing in them", *silent, part=True)]
    for low, high, rows in by_size(lengths):
        sizes = f"{low}" if low == high else f"{low} to {high}"
        found.append(of_shares(f"texts of {sizes} letters", *(each[rows] for each in whole), part=True))
    ends = np.maximum(lengths // ENDS, 1).tolist()
    for name, part in (("first", _first), ("last", _last)):
        right, *cut = (
            np.asarray([part(text, count) for text, count in zip(each.tolist(), ends, strict=True)])
            for each in (truth, baseline, variant)
        )
        found.append(of_shares(f"{name} letters of texts", *(shares(each, right)[written] for each in cut), part=True))
    return [each for each in (*found, *_letters(baseline, variant, truth)) if each.both + each.only_baseline]


def shares(answers: Any, truth: Any) -> Any:
    """Of each text the share of its letters that is right, [examples]."""
    import numpy as np

    lengths = np.asarray([max(len(text), 1) for text in truth.tolist()], float)
    return np.clip(1 - edits(answers, truth, str) / lengths, 0, 1)


def _first(text: str, count: int) -> str:
    return text[:count]


def _last(text: str, count: int) -> str:
    return text[-count:]


def _letters(baseline: Any, variant: Any, truth: Any) -> list[KeptClass]:
    """How often each letter is written of how often it should be, text by text, wherever in it; and how often it is made up."""
    import numpy as np

    every = Counter(letter for texts in (truth, baseline) for text in texts.tolist() for letter in text)
    commonest = [letter for letter, _ in every.most_common(min(MOST_CLASSES // 2, COUNTED // len(truth)))]
    number = {letter: i for i, letter in enumerate(commonest)}
    counts = []
    for texts in (truth, baseline, variant):
        table = np.zeros((len(texts), len(number)), np.int32)
        for row, text in zip(table, texts.tolist(), strict=True):
            for letter, count in Counter(text).items():
                if letter in number:
                    row[number[letter]] = count
        counts.append(table)
    labelled, before, after = counts[0], np.minimum(counts[0], counts[1]), np.minimum(counts[0], counts[2])
    both = np.minimum(before, after)
    wrong, now = counts[1] - before, counts[2] - after
    gone, more = np.maximum(wrong - now, 0), np.maximum(now - wrong, 0)
    found = []
    for i, letter in enumerate(commonest):
        name = f"letter {_shown(letter)}"
        found.append(pooled(name, *(each[:, i] for each in (labelled, before, after, both))))
        if counts[1][:, i].any():
            found.append(answers_of(f"answers of {name}", counts[1][:, i], gone[:, i], more[:, i]))
    return found


def _shown(letter: str) -> str:
    """A letter as people see it; one that stands for an id is its number."""
    from gatekeeper.evaluate.transcription.symbols import PRIVATE

    return str(ord(letter) - PRIVATE) if ord(letter) >= PRIVATE else "space" if letter == " " else letter
