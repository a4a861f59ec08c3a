"""Compares predictions, and refuses to compare with a baseline of which nothing can be kept."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from gatekeeper.data.distinct import distinct
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics import macro_f1, r2
from gatekeeper.evaluate.metrics._agreement import agreement
from gatekeeper.evaluate.metrics._base import (
    CLASSIFICATION,
    REGISTRY,
    REGRESSION,
    Compare,
    Pair,
    Undefined,
    class_labels,
    default_metric,
    family,
    metric,
)
from gatekeeper.evaluate.metrics._base import classes as classes_of
from gatekeeper.evaluate.metrics._whole import user_metric
from gatekeeper.evaluate.once import once
from gatekeeper.process.messages import Answer, Held, Request
from gatekeeper.records.scores import Kind, PairedScores

CHANCE_ALPHA = 0.05


class Score(Request, frozen=True, kw_only=True):
    """Compare the predictions of a variant (or of the baseline with itself) with the baseline's."""

    dataset: str
    baseline: str
    variant: str
    metric: str | None
    task: str | None
    folder: str
    destination: str
    text: bool = False
    range: tuple[float, float] | None = None  # of one example's score, where it is declared

    def answer(self, held: Held) -> Scored:
        """Write the scores."""
        return score(self)


class Scored(Answer, frozen=True, kw_only=True):
    """Paired scores were written; `error` says why the baseline cannot be judged against. Or none were: `undefined` says why
    the metric has no value for the variant.
    """

    metric: str
    baseline: float | None
    variant: float | None
    agreement: bool
    kind: Kind
    examples: int
    power: float
    low: float
    high: float
    error: str | None
    details: dict[str, float] = {}
    copies: int = 0
    unseen: float | None = None
    undefined: str | None = None


def write_scores(scores: PairedScores, destination: str) -> None:
    """The arrays of scores: p and q, and of the kind `classes` the truth and the numbers of distinct examples."""
    import numpy as np

    rows = [scores.p, scores.q]
    if scores.kind == "classes":
        rows += [scores.truth, np.arange(len(scores.p)) if scores.unit is None else scores.unit]
    np.save(destination, np.stack(rows))


def score(request: Score) -> Scored:
    """Write paired scores to `request.destination`."""
    if request.text:
        from gatekeeper.evaluate.text.score import score_text

        return score_text(request)
    import numpy as np

    dataset = PreparedDataset(Path(request.dataset))
    baseline, variant = np.load(request.baseline), np.load(request.variant)
    for name, outputs in (("baseline", baseline), ("variant", variant)):
        if outputs.dtype.kind == "f" and not np.isfinite(outputs).all():
            raise NotMeasured(
                "model", f"the {name}'s output holds NaN or infinite values. The model is broken at this precision."
            )
    if variant.shape != baseline.shape:
        raise NotMeasured("model", f"the variant's output has shape {variant.shape}, the baseline's {baseline.shape}.")
    labels, error = dataset.labels, None
    units = distinct(dataset.inputs)
    name = "agreement" if labels is None else request.metric or default_metric(request.task)
    try:
        if labels is None:
            compared = agreement(baseline, variant, request.task)
        else:
            compared = _compared(name, request, units, baseline, variant, labels)
    except Undefined as undefined:
        return _undefined(name, undefined, int(units.max()) + 1)
    compared = replace(compared, scores=once(compared.scores, units))
    if labels is None:
        error = _constant(baseline, classes=request.task is None or request.task.endswith("classification"))
    else:
        error = _constant(baseline, classes=family(name) == CLASSIFICATION) or _chance(name, baseline, labels, compared)
    scores = compared.scores
    write_scores(scores, request.destination)
    return Scored(
        metric=name,
        baseline=compared.baseline,
        variant=compared.variant,
        agreement=labels is None,
        kind=scores.kind,
        examples=scores.examples,
        power=scores.power,
        low=scores.low,
        high=scores.high,
        error=error,
        copies=scores.copies,
        unseen=scores.unseen,
    )


def _undefined(name: str, undefined: Undefined, examples: int) -> Scored:
    return Scored(
        metric=name,
        baseline=undefined.baseline,
        variant=None,
        agreement=False,
        kind="real",
        examples=examples,
        power=1.0,
        low=0.0,
        high=1.0,
        error=None,
        undefined=str(undefined),
    )


def _compared(name: str, request: Score, units: Any, baseline: Any, variant: Any, labels: Any) -> Pair:
    """Values and scores by the metric; `Undefined` where it has a value for the baseline and none for the variant."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):  # squares of what a broken model answers
        compared = _metric(name, request, units)(baseline, variant, labels)
    if math.isfinite(compared.baseline) and not math.isfinite(compared.variant):
        raise Undefined(f"{name} is undefined on the variant: it is {compared.variant}", compared.baseline)
    if request.range is not None and name == "mae":
        return replace(compared, scores=_ranged(compared.scores, request.range))
    return compared


def _ranged(scores: PairedScores, span: tuple[float, float]) -> PairedScores:
    """Scores known to lie in a range, by the user's word."""
    low, high = span
    least, most = min(scores.p.min(), scores.q.min()), max(scores.p.max(), scores.q.max())
    if least < low or most > high:
        raise NotMeasured(
            "data", f"errors go from {least:g} to {most:g}, and `dataset.range` is [{low:g}, {high:g}]. Correct the range."
        )
    return replace(scores, kind="bounded", low=low, high=high)


def _metric(name: str, request: Score, units: Any) -> Compare:
    if name in REGISTRY.names:
        return metric(name).compare
    from gatekeeper.evaluate.datasets.loader import call, user_function

    function = user_function(name, Path(request.folder))
    return user_metric(name, lambda outputs, labels: call(name, function, outputs, labels), units, request.range)


def _constant(outputs: Any, classes: bool) -> str | None:
    import numpy as np

    if (outputs == outputs[0]).all() and len(outputs) > 1:
        return "the baseline gives the same output for every example. Check the inputs and the model."
    if classes:
        predicted = classes_of(outputs)
        if len(predicted) > 1 and len(np.unique(predicted)) == 1:
            return f"the baseline predicts class {predicted[0]} for every example. Check the inputs and their preprocessing."
    return None


def _chance(name: str, outputs: Any, labels: Any, pair: Pair) -> str | None:
    """Why the baseline is no better than a guess that ignores its input; None if it is better."""
    if not math.isfinite(pair.baseline):
        return f"the baseline's {name} is {pair.baseline}. Check the metric and the model."
    advice = "Check the preprocessing and the labels, or use a better model."
    if family(name) == CLASSIFICATION:
        guessing = _guess(name, outputs, class_labels(labels, outputs))
        if guessing is None:
            return "every label is the same class; accuracy says nothing about such a set. Use a varied evaluation set."
        if not _beats(pair, guessing):
            return (
                f"the baseline is no better than chance: its {name} is {pair.baseline:.1%}, and answering without "
                f"looking gets {guessing:.1%}. {advice}"
            )
    elif family(name) == REGRESSION:
        explained = r2.compare(outputs, outputs, labels).baseline
        if not explained > 0:
            return f"the baseline is no better than answering the mean (R2 = {explained:.3f}). {advice}"
    elif not pair.baseline > 0:
        return f"the baseline's {name} is {pair.baseline:.3g}; nothing of it can be kept. {advice}"
    return None


def _guess(name: str, outputs: Any, labels: Any) -> float | None:
    """What an answer that ignores the input scores; None where every label is the same.

    For accuracy that is the most common label's share. F1 also rewards guessing the rare classes at their own rate, so
    there it is what the model's own answers score against labels in random order.
    """
    import numpy as np

    shares = np.sort(np.unique(labels, return_counts=True)[1])[::-1] / len(labels)
    if len(shares) == 1:
        return None
    if name == "macro_f1":
        generator = np.random.default_rng(0)
        predicted = classes_of(outputs)
        return max(macro_f1.f1_of(predicted, generator.permutation(labels)) for _ in range(20))
    return float(shares[: 5 if name == "top5_accuracy" else 1].sum())


def _beats(pair: Pair, guessing: float) -> bool:
    """Whether the baseline's score is above guessing by more than chance explains."""
    from scipy.special import bdtrc

    from gatekeeper.stats import f1
    from gatekeeper.stats.rounds import mean_interval

    q = pair.scores.q
    if pair.scores.kind == "classes":
        return f1.least(pair.scores, CHANCE_ALPHA) > guessing
    if pair.scores.kind != "binary":
        return mean_interval(q.tolist(), CHANCE_ALPHA).lower > guessing
    correct = round(float(q.sum()))
    return guessing < 1 and correct > 0 and bool(bdtrc(correct - 1, len(q), guessing) <= CHANCE_ALPHA)
