"""Where in a text the answer to a question begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured

if TYPE_CHECKING:
    from gatekeeper.evaluate.metrics._base import Pair
    from gatekeeper.evaluate.tasks._base import Reading
    from gatekeeper.records.scores import KeptClass

FAMILY = "question_answering"
ANSWERS = "numbers"
DESCRIPTION = "where in a text the answer begins and ends, as two scores a token"
LABELS = "[examples, 2], the first and last token of the answer; or [examples, answers, 2], -1 where there are fewer"
UNLABELLED = "share of questions answered with the same span"

LONGEST = 30
"""Tokens of an answer, as SQuAD's own scripts have it."""
PIECE = 1 << 24
COMMON = 0.05
"""An answer that so many questions have is looked at by itself: that there is none, most often."""


def gather(outputs: dict[str, Any], feed: dict[str, Any], reading: Reading) -> tuple[str, Any, set[str]] | None:
    """The scores of the beginning and of the end, [examples, 2, tokens]."""
    import numpy as np

    ends = [[name for name in outputs if word in name.lower()] for word in ("start", "end")]
    if all(len(each) == 1 for each in ends):
        first, last = (outputs[each[0]] for each in ends)
        if first.ndim == 2 and first.shape == last.shape:
            return "spans", np.stack([first, last], axis=1), {ends[0][0], ends[1][0]}
    both = [name for name, array in outputs.items() if array.ndim == 3 and array.shape[2] == 2]
    if len(both) == 1:
        return "spans", np.swapaxes(outputs[both[0]], 1, 2), set(both)
    shapes = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in outputs.items())
    raise NotMeasured(
        "model",
        f"which outputs ({shapes}) hold the scores of the beginning and of the end is not known: two of [examples, tokens] with "
        "start and end in their names, or one of [examples, tokens, 2]. Rename them, or name it with `model.output`.",
    )


def read(outputs: Any, way: Any) -> Any:
    """The likeliest span of each text, of no more than so many tokens and no end before its beginning, and beside it the
    likeliest beginning and the likeliest end, which many read as they are: [examples, 4].
    """
    import numpy as np

    tokens = outputs.shape[2]
    apart = np.arange(tokens) - np.arange(tokens)[:, None]
    cost = np.where((apart >= 0) & (apart < LONGEST), 0.0, -np.inf)
    spans = np.zeros((len(outputs), 4), np.int64)
    step = max(1, PIECE // tokens**2)
    for start in range(0, len(outputs), step):
        part = outputs[start : start + step].astype(float)
        best = (part[:, 0, :, None] + part[:, 1, None, :] + cost).reshape(len(part), -1).argmax(axis=1)
        spans[start : start + step, :2] = np.stack(np.unravel_index(best, (tokens, tokens)), axis=1)
        spans[start : start + step, 2:] = part.argmax(axis=2)
    return spans


def check(labels: Any, answers: Any, way: Any) -> Any:
    """True spans as [examples, answers, 2]."""
    spans = labels[:, None] if labels.ndim == 2 else labels
    if spans.ndim != 3 or spans.shape[2] != 2 or labels.dtype.kind not in "iuf":
        raise NotMeasured("data", f"the labels have shape {labels.shape}. Labels of question_answering are {LABELS}.")
    spans = spans.astype(int)
    told = spans[:, :, 0] >= 0
    if not told.any(axis=1).all() or (told & (spans[:, :, 1] < spans[:, :, 0])).any():
        raise NotMeasured("data", "some labels have no answer, or one that ends before it begins. Correct them.")
    return spans


def takes(outputs: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """Two scores a token, and two numbers an example."""
    return len(labels) == 2 and labels[1] == 2 and len(outputs) in (2, 3) and outputs[-1] > 2


def agreement(baseline: Any, variant: Any) -> Pair:
    """Share of questions that are answered with the same span."""
    import numpy as np

    from gatekeeper.evaluate.metrics._base import binary

    same = (baseline[:, :2] == variant[:, :2]).all(axis=1)
    return binary(np.ones(len(same), bool), same)


def kept(baseline: Any, variant: Any, truth: Any, slices: dict[str, Any], way: Any) -> list[KeptClass]:
    """Questions by their answer: each that is common, as that there is none, and the others, by where in the text and how long
    they are; and all as they are where the likeliest beginning and the likeliest end are read by themselves.
    """
    import numpy as np

    from gatekeeper.evaluate.groups import kept_class
    from gatekeeper.evaluate.metrics._spans import exact
    from gatekeeper.evaluate.places import by_size

    right = baseline[:, None, :2] if truth is None else truth
    plain = baseline[:, None, 2:] if truth is None else truth
    b, v = (exact(spans, right) for spans in (baseline, variant))
    own = right[np.arange(len(right)), (right[:, :, 0] >= 0).argmax(axis=1)]
    spans, of, counts = np.unique(own, axis=0, return_inverse=True, return_counts=True)
    common = np.flatnonzero(counts > COMMON * len(own))
    rest = ~np.isin(of.reshape(-1), common)
    found = [
        kept_class(f"answer {first} to {last}", b[rows], v[rows])
        for (first, last), rows in ((spans[i].tolist(), of.reshape(-1) == i) for i in common)
    ]
    found.append(kept_class("other answers" if len(common) else "answers", b[rest], v[rest]))
    sizes = {"answers that begin at tokens {}": (own[:, 0] + 1, -1), "answers of {} tokens": (own[:, 1] - own[:, 0] + 1, 0)}
    for called, (each, shown) in sizes.items():
        for low, high, rows in by_size(np.where(rest, each, 0)):
            name = called.format(low + shown if low == high else f"{low + shown} to {high + shown}")
            found.append(kept_class(name, b[rows], v[rows], part=True))
    read_plainly = (exact(spans[:, 2:], plain) for spans in (baseline, variant))
    found.append(kept_class("likeliest begin and end by themselves", *read_plainly, part=True))
    return [each for each in found if each.examples]
