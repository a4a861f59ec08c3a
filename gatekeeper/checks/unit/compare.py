"""How far answers may be apart.

The distance of two arrays is, of numbers with a fraction, the largest over their rows of the root mean square difference,
relative to the root mean square of that row: beside one loud example, what becomes of all others would not be heard. Of all
other arrays it is the share of elements that differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gatekeeper.checks.outcome import Broken, NoStandard
from gatekeeper.checks.unit.base import Answered, Seen

FLOOR = 1e-4
"""Sums in another order differ by about 1e-6 in single precision, more where they cancel."""
TIMES = 10.0
"""How many times as far as the original's answers a variant's may be apart: its noise is of the same cause."""
ROUNDINGS = 5.0
"""Rounding that depends on what else is in a batch costs some times what it cost alone: where examples are about equally loud,
up to 3.6 times that of the worst of them was measured."""
CAP = 0.25
"""No excuse reaches further: a quarter of the answer's own size."""
FAINT = 0.1
"""A row much fainter than the usual one is held to this share of that: in nearly nothing everything is a large part."""

BEFORE, AFTERWARDS = "the first example", "the first example again, afterwards"


def distance(actual: Any, expected: Any) -> float:
    """How far two arrays are apart; infinite where their shapes or types differ, or one has numbers where the other has none."""
    import numpy as np

    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return float("inf")
    if actual.size == 0 or actual.tobytes() == expected.tobytes():
        return 0.0
    if actual.dtype.kind not in "fc":
        return float(np.mean(actual != expected))
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(actual)):
        return float("inf")
    a, b = (np.where(finite, x, 0).astype(np.float64).reshape(len(x) if x.ndim else 1, -1) for x in (actual, expected))
    apart, size = np.sqrt(np.mean((a - b) ** 2, axis=1)), np.sqrt(np.mean(b**2, axis=1))
    size = np.maximum(size, np.median(size) * (FAINT if b.shape[1] > 1 else 1))
    if not apart.any():
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nanmax(np.where(apart > 0, apart / size, 0.0)))


def apart(answered: Answered, expected: Answered) -> float:
    """The largest distance of two answers' outputs; infinite where one has an output that the other has not."""
    if answered.outputs.keys() != expected.outputs.keys():
        return float("inf")
    return max((distance(answered.outputs[name], expected.outputs[name]) for name in expected.outputs), default=0.0)


def spread(seen: Seen, pairs: Iterable[tuple[str, str]], failure: type[Exception] = Broken) -> tuple[float, str]:
    """The largest distance over pairs of trials, and the trial in which it was."""
    return max(((apart(seen.answer(a, failure), seen.answer(b, failure)), a) for a, b in pairs), default=(0.0, ""))


def same(variant: Seen, original: Seen, pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs of trials must be equal bit for bit where the original's are, and else about as close as those."""
    pairs = list(pairs)
    worst, where = spread(variant, pairs)
    theirs, _ = spread(original, pairs, NoStandard)
    if theirs == 0.0:
        if worst > 0.0:
            raise Broken(f"{where}: differs by {worst:.2g}, and the original's answers are equal bit for bit")
        return "equal bit for bit"
    limit = min(CAP, max(TIMES * theirs, FLOOR))
    if not worst <= limit:
        raise Broken(f"{where}: differs by {worst:.2g}; allowed are {limit:.2g}, since the original's differ by {theirs:.2g}")
    return f"differs by {worst:.2g} at most; allowed are {limit:.2g}, since the original's differ by {theirs:.2g}"


def close(variant: Seen, original: Seen, pairs: Iterable[tuple[str, str]], alike: Iterable[str]) -> str:
    """Pairs of trials must be close, by a limit that knows how far variant and original are apart in the trials `alike`."""
    pairs = list(pairs)
    worst, where = spread(variant, pairs)
    theirs, _ = spread(original, pairs, NoStandard)
    rounding = max((apart(variant.answer(a), original.answer(a, NoStandard)) for a in alike), default=0.0)
    least = max([FLOOR, *(_least(variant.answer(a)) for a, _ in pairs)])
    limit = min(CAP, max(TIMES * theirs, ROUNDINGS * rounding, least))
    about = f"{TIMES:g} x the original's {theirs:.2g}, {ROUNDINGS:g} x the distance of the two models {rounding:.2g}, {least:.2g}"
    if not worst <= limit:
        raise Broken(f"{where}: differs by {worst:.2g}, and {limit:.2g} are allowed: the largest of {about}")
    return f"differs by {worst:.2g} at most; {limit:.2g} are allowed: the largest of {about}"


def _least(answer: Answered) -> float:
    """What the element types cannot tell: a few units in the last place, and one of the values compared where they count."""
    import numpy as np

    least = 0.0
    for array in answer.outputs.values():
        if array.dtype.kind == "f":
            least = max(least, 4 * float(np.finfo(array.dtype).eps))
        elif array.size:
            least = max(least, 1 / array.size)
    return least


def still_answers(variant: Seen, original: Seen) -> None:
    """The session is as it was: it answers the first example as it did before."""
    worst, _ = spread(variant, [(AFTERWARDS, BEFORE)])
    theirs, _ = spread(original, [(AFTERWARDS, BEFORE)], NoStandard)
    if not worst <= min(CAP, max(TIMES * theirs, FLOOR)):
        raise Broken(f"afterwards it no longer answers the first example as before: differs by {worst:.2g}")


def no_worse(variant: Seen, original: Seen, labels: Iterable[str], what: str) -> list[str]:
    """Each trial is answered where the original answers, and finite where it is; returns where it did not either."""
    import numpy as np

    excused = []
    for label in labels:
        theirs, ours = original.trials.get(label), variant.trials.get(label)
        if ours is None or theirs is None:
            raise NoStandard(f"{original.who if theirs is None else variant.who} was not asked {label}")
        if theirs.error:
            excused.append(label)
            continue
        if ours.error:
            raise Broken(f"{label}: {what} is refused ({ours.error}), and the original answers")
        for name, expected in theirs.outputs.items():
            actual = ours.outputs.get(name)
            if expected.dtype.kind != "f" or actual is None or actual.dtype.kind != "f":
                continue
            if np.isfinite(expected).all():
                if not np.isfinite(actual).all():
                    raise Broken(f"{label}: {name} holds {_odd(actual)}, and the original's answer is finite")
            elif label not in excused:
                excused.append(label)
    return excused


def _odd(array: Any) -> str:
    import numpy as np

    return "NaN" if np.isnan(array).any() else "infinite values"
