"""Compares predictions, and refuses to compare with a baseline of which nothing can be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.collapse import collapsed, not_finite
from gatekeeper.evaluate.groups import kept_classes
from gatekeeper.evaluate.metrics import macro_f1, r2
from gatekeeper.evaluate.metrics._agreement import agreement
from gatekeeper.evaluate.metrics._base import (
    CLASSIFICATION,
    REGISTRY,
    REGRESSION,
    Compare,
    Pair,
    class_labels,
    default_metric,
    family,
    metric,
)
from gatekeeper.evaluate.metrics._base import classes as classes_of
from gatekeeper.evaluate.metrics._positions import answered, positional
from gatekeeper.evaluate.metrics._whole import user_metric
from gatekeeper.evaluate.others import kept_outputs
from gatekeeper.process.messages import Answer, Held, Request
from gatekeeper.records.scores import KeptClass, KeptOutput, Kind

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

    def answer(self, held: Held) -> Scored:
        """Write the scores."""
        return score(self)


class Scored(Answer, frozen=True, kw_only=True):
    """Paired scores were written; `error` says why the baseline cannot be judged against."""

    metric: str
    baseline: float | None
    variant: float | None
    agreement: bool
    kind: Kind
    examples: int
    power: float = 1.0
    low: float = 0.0
    high: float = 1.0
    error: str | None
    details: dict[str, float] = {}
    collapsed: str = ""
    outputs: list[KeptOutput] = []
    unjudged: dict[str, str] = {}
    classes: list[KeptClass] = []


def score(request: Score) -> Scored:
    """Write paired scores to `request.destination` (.npy of shape [2, n]: p, q)."""
    if request.text:
        from gatekeeper.evaluate.text.score import score_text

        return score_text(request)
    import numpy as np

    dataset = PreparedDataset(Path(request.dataset))
    baseline, variant = np.load(request.baseline), np.load(request.variant)
    if baseline.dtype.kind == "f" and not np.isfinite(baseline).all():
        raise NotMeasured("model", "the baseline's output holds NaN or infinite values. Look at the model and its inputs.")
    itself = request.variant == request.baseline
    others, unjudged = ([], {}) if itself else kept_outputs(Path(request.baseline), Path(request.variant))
    if variant.shape != baseline.shape:
        raise NotMeasured("model", f"the variant's output has shape {variant.shape}, the baseline's {baseline.shape}.")
    labels, error = dataset.labels, None
    name = "agreement" if labels is None else request.metric or default_metric(request.task)
    classification = _of_classes(name, request.task)
    broken = not_finite(baseline, variant)
    if broken:
        answer = Scored(metric=name, baseline=None, variant=None, agreement=labels is None, kind="real", examples=0, error=None)
        return msgspec.structs.replace(answer, collapsed=broken, outputs=others, unjudged=unjudged)
    if labels is None:
        compared = agreement(baseline, variant, request.task)
        error = _constant(baseline, classes=classification)
    else:
        compared = _metric(name, request)(baseline, variant, labels)
        error = _constant(baseline, classes=classification) or _chance(name, baseline, labels, compared)
    scores = compared.scores
    np.save(request.destination, np.stack([scores.p, scores.q]))
    gone = "" if error or itself else collapsed(baseline, variant, request.task, classification)
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
        collapsed=gone or ("" if error or itself or labels is None else _no_better(name, baseline, variant, labels, compared)),
        outputs=others,
        unjudged=unjudged,
        classes=_by_class(baseline, variant, labels) if classification and not error else [],
    )


def _of_classes(name: str, task: str | None) -> bool:
    """Whether what is compared are classes: by the metric, or where there is none, by the task."""
    if name == "agreement":
        return task is None or task.endswith("classification")
    return family(name) == CLASSIFICATION


def _by_class(baseline: Any, variant: Any, labels: Any) -> list[KeptClass]:
    """Right answers by class; without labels, the baseline's own answers are right. None of what has many answers an example."""
    if positional(baseline):
        return []
    theirs, ours = classes_of(baseline), classes_of(variant, baseline)
    truth = theirs if labels is None else class_labels(labels)
    return kept_classes(truth, theirs == truth, ours == truth)


def _no_better(name: str, baseline: Any, variant: Any, labels: Any, pair: Pair) -> str:
    """Whether the variant, unlike the baseline, is no better than a guess that ignores its input."""
    if family(name) == CLASSIFICATION:
        guessing = _guess(name, baseline, labels)
        if guessing is not None and pair.variant <= guessing:
            values = f"its {name} is {pair.variant:.1%}, and answering without looking gets {guessing:.1%}"
            return f"it is no better than chance: {values}"
    elif family(name) == REGRESSION:
        explained = r2.compare(variant, variant, labels).baseline
        if not explained > 0:
            return f"it is no better than answering the mean (R2 = {explained:.3f})"
    return ""


def _metric(name: str, request: Score) -> Compare:
    if name in REGISTRY.names:
        return metric(name).compare
    from gatekeeper.evaluate.datasets.loader import call, user_function

    function = user_function(name, Path(request.folder))
    return user_metric(lambda outputs, labels: call(name, function, outputs, labels))


def _constant(outputs: Any, classes: bool) -> str | None:
    import numpy as np

    if (outputs == outputs[0]).all() and len(outputs) > 1:
        return "the baseline gives the same output for every example. Check the inputs and the model."
    if classes:
        predicted = answered(outputs)
        if len(predicted) > 1 and len(np.unique(predicted)) == 1:
            return f"the baseline predicts class {predicted[0]} for every example. Check the inputs and their preprocessing."
    return None


def _chance(name: str, outputs: Any, labels: Any, pair: Pair) -> str | None:
    """Why the baseline is no better than a guess that ignores its input; None if it is better."""
    import math

    if not math.isfinite(pair.baseline):
        return f"the baseline's {name} is {pair.baseline}. Check the metric and the model."
    advice = "Check the preprocessing and the labels, or use a better model."
    if family(name) == CLASSIFICATION:
        guessing = _guess(name, outputs, labels)
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
        predicted, truth = classes_of(outputs), labels.reshape(-1)
        known = sorted(set(truth.tolist()))
        return max(macro_f1.f1_of(predicted, generator.permutation(truth), known) for _ in range(20))
    return float(shares[: 5 if name == "top5_accuracy" else 1].sum())


def _beats(pair: Pair, guessing: float) -> bool:
    """Whether the baseline's score is above guessing by more than chance explains."""
    from scipy.special import bdtrc

    from gatekeeper.stats.rounds import mean_interval

    q = pair.scores.q
    if pair.scores.kind != "binary":
        return mean_interval(q.tolist(), CHANCE_ALPHA).lower > guessing
    correct = round(float(q.sum()))
    return guessing < 1 and correct > 0 and bool(bdtrc(correct - 1, len(q), guessing) <= CHANCE_ALPHA)
