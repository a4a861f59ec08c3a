"""The user's own metric: of examples, or of the whole set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import Compare, Pair, Undefined
from gatekeeper.records.scores import PairedScores

MOST_LEFT_OUT = 1000
"""Times that a metric of the whole set is asked again, of each model."""
PROBES = 100
SHUFFLED = 3
"""Random orders that are tried."""

Function = Callable[[Any, Any], Any]


def user_metric(name: str, function: Function, units: Any = None, span: tuple[float, float] | None = None) -> Compare:
    """A metric from the user's function of (outputs, labels): one value, or one value per example.

    `units` numbers the distinct examples, where some are copies; `span` is the declared range of an example's value.
    """

    def compare(baseline: Any, variant: Any, labels: Any) -> Pair:
        b = asked(function, baseline, labels)
        if isinstance(b, str):
            raise NotMeasured("data", f"'{name}' is undefined on the baseline: {b}. Repair the metric, or the model.")
        v = asked(function, variant, labels)
        if not isinstance(v, str) and v.shape != b.shape:
            v = f"it returned {_shape(v)}, and {_shape(b)} for the baseline"
        if isinstance(v, str):
            raise Undefined(f"'{name}' is undefined on the variant: {v}", float(b.mean()))
        if b.ndim:
            return Pair(float(b.mean()), float(v.mean()), _of_examples(name, v, b, span))
        return Pair(float(b), float(v), left_out(name, function, variant, baseline, labels, units))

    return compare


def guess(function: Function, outputs: Any, labels: Any) -> float | None:
    """What the model's own answers to other examples get; None where the metric has no value for them."""
    import numpy as np

    generator, found = np.random.default_rng(0), []
    for _ in range(SHUFFLED):
        value = asked(function, outputs[generator.permutation(len(outputs))], labels)
        if isinstance(value, str):
            return None
        found.append(float(value.mean()))
    return max(found)


def _of_examples(name: str, p: Any, q: Any, span: tuple[float, float] | None) -> PairedScores:
    if span is None:
        return PairedScores("real", p=p, q=q, examples=len(q))
    return ranged(PairedScores("real", p=p, q=q, examples=len(q)), span, f"values of '{name}' go")


def ranged(scores: PairedScores, span: tuple[float, float], what: str) -> PairedScores:
    """Scores known to lie in a range, by the user's word; `NotMeasured` where they do not."""
    low, high = span
    least, most = min(scores.p.min(), scores.q.min()), max(scores.p.max(), scores.q.max())
    if least < low or most > high:
        raise NotMeasured(
            "data", f"{what} from {least:g} to {most:g}, and `dataset.range` is [{low:g}, {high:g}]. Correct the range."
        )
    return replace(scores, kind="bounded", low=low, high=high)


def asked(function: Function, outputs: Any, labels: Any) -> Any:
    """The value as an array of numbers, [] or [examples]; or what is wrong with it."""
    import numpy as np

    try:
        found = function(outputs, labels)
    except NotMeasured as error:  # what the user's code raised, with its place
        return str(error).rstrip(".")
    try:
        value = np.asarray(found)
    except ValueError:
        return "it returned a ragged list"
    if value.dtype.kind not in "biuf":
        return f"it returned {'None' if found is None else 'a ' + type(found).__name__}, not numbers"
    value = value.astype(float)
    if value.ndim and value.shape != (len(labels),):
        return f"it returned {_shape(value)}; it must return one value or one per example"
    if not np.isfinite(value).all():
        if not value.ndim:
            return f"it returned {value}"
        return f"{int((~np.isfinite(value)).sum())} of its {value.size} values are NaN or infinite"
    return value


def _shape(value: Any) -> str:
    return "one value" if not value.ndim else f"an array of shape {value.shape}"


def left_out(name: str, function: Function, variant: Any, baseline: Any, labels: Any, units: Any) -> PairedScores:
    """Pseudo-values, so that a metric of the whole set pairs like one of examples; copies of an example count once.

    With one of n examples left out the value is M_without; n*M - (n-1)*M_without is that example's own (Quenouille, Tukey; Efron
    and Tibshirani, "An Introduction to the Bootstrap", chapter 11). Where n is large, groups of examples are left out.
    """
    import numpy as np

    first = np.arange(len(labels)) if units is None else np.unique(units, return_index=True)[1]
    first = np.random.default_rng(0).permutation(first)
    baseline, variant, labels = baseline[first], variant[first], labels[first]
    groups = min(MOST_LEFT_OUT, len(first))
    member = np.arange(len(first)) % groups

    def value(outputs: Any, kept: Any) -> float:
        found = asked(function, outputs[kept], labels[kept])
        if isinstance(found, str) or found.ndim:
            said = found if isinstance(found, str) else "it returned an array"
            raise NotMeasured(
                "data", f"'{name}' is undefined where a few examples are left out: {said}. Return one value per example."
            )
        return float(found)

    def pseudo(outputs: Any) -> tuple[float, Any]:
        whole = value(outputs, slice(None))
        without = [value(outputs, member != g) for g in range(groups)] if groups > 1 else [whole]
        return whole, groups * whole - (groups - 1) * np.asarray(without)

    whole, p = pseudo(variant)
    unseen = groups * max(_dearest(function, variant, labels, whole), whole / len(first))
    return PairedScores("real", p=p, q=pseudo(baseline)[1], examples=len(first), unseen=unseen)


def _dearest(function: Function, variant: Any, labels: Any, whole: float) -> float:
    """The most that the metric fell when the variant answered one example with what it answers to another.

    One answer that was not seen may cost as much; how much, only the metric knows. Examples are taken evenly over the labels, as
    those of a rare class may weigh most.
    """
    import numpy as np

    generator = np.random.default_rng(2)
    order = np.argsort(labels.reshape(len(labels), -1)[:, 0], kind="stable")
    kinds, starts = np.unique(labels.reshape(len(labels), -1)[order, 0], return_index=True)
    rare = order[starts] if len(kinds) <= PROBES else order[:0]
    probed = np.concatenate([rare, order[np.linspace(0, len(order) - 1, min(PROBES, len(order))).astype(int)]])
    fell, answers = 0.0, variant.copy()
    for i in np.unique(probed):
        answers[i] = variant[generator.integers(len(variant))]
        found = asked(function, answers, labels)
        answers[i] = variant[i]
        if not isinstance(found, str) and not found.ndim:
            fell = max(fell, whole - float(found))
    return fell
