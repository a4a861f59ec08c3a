"""Inputs full of one odd value. What the original answers with a finite number, the variant must too; and neither may die."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.checks.outcome import Skipped
from gatekeeper.checks.unit.base import Case, Seen
from gatekeeper.checks.unit.compare import AFTERWARDS, BEFORE, no_worse, still_answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.checks.unit.lab import Lab, TrialLog


def _fill(value: Callable[[Any], Any], floats: bool) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    """A feed with every number (or every number with a fraction) replaced; None where there is none to replace."""

    def fill(feed: dict[str, Any]) -> dict[str, Any] | None:
        import numpy as np

        kinds = "f" if floats else "fiub"
        if not any(array.dtype.kind in kinds for array in feed.values()):
            return None
        return {n: np.full_like(a, value(a.dtype)) if a.dtype.kind in kinds else a for n, a in feed.items()}

    return fill


def _limit(name: str) -> Callable[[Any], Any]:
    def limit(dtype: Any) -> Any:
        import numpy as np

        if dtype.kind == "b":
            return name == "max"
        return getattr(np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype), name)

    return limit


def _subnormal(dtype: Any) -> Any:
    import numpy as np

    return np.finfo(dtype).smallest_subnormal


ZEROS = {"all zeros": _fill(lambda _: 0, floats=False)}
EXTREMES = {"all largest": _fill(_limit("max"), floats=False), "all smallest": _fill(_limit("min"), floats=False)}
DENORMALS = {"all denormal": _fill(_subnormal, floats=True)}
NOT_NUMBERS = {
    "all NaN": _fill(lambda _: float("nan"), floats=True),
    "all +Inf": _fill(lambda _: float("inf"), floats=True),
    "all -Inf": _fill(lambda _: float("-inf"), floats=True),
}


def _observe(feeds: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]]) -> Callable[[Lab, TrialLog], None]:
    def observe(lab: Lab, log: TrialLog) -> None:
        made = {label: fill(lab.feeds[0]) for label, fill in feeds.items()}
        if not any(made.values()):
            raise Skipped("the model has no such input")
        log.run(BEFORE, lab.feeds[0])
        for label, feed in made.items():
            if feed is not None:
                log.run(label, feed)
        log.run(AFTERWARDS, lab.feeds[0])

    return observe


def _judge(variant: Seen, original: Seen) -> str:
    labels = [label for label in original.trials if label not in (BEFORE, AFTERWARDS)]
    excused = no_worse(variant, original, labels, "this input")
    still_answers(variant, original)
    held = [label for label in labels if label not in excused]
    parts = [f"finite as the original's: {', '.join(held)}"] if held else []
    if excused:
        parts.append(f"no finite answer from the original either: {', '.join(excused)}")
    return "; ".join([*parts, "answers as before afterwards"])


CASES = (
    Case("zeros", "basic", "tensors", _observe(ZEROS), _judge,
         "an input of zeros is answered with finite numbers where the original does"),
    Case("extremes", "comprehensive", "tensors", _observe(EXTREMES), _judge,
         "as zeros, with the largest and smallest numbers of the type"),
    Case("denormals", "comprehensive", "tensors", _observe(DENORMALS), _judge, "as zeros, with the smallest number above zero"),
    Case("nan_and_inf", "basic", "tensors", _observe(NOT_NUMBERS), _judge, "as zeros, with NaN and infinities"),
)  # fmt: skip
