"""Compares predictions, and refuses to compare with a baseline of which nothing can be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate import metrics
from gatekeeper.evaluate.prepared import PreparedDataset
from gatekeeper.protocol import Score, Scored

CHANCE_ALPHA = 0.05


def score(request: Score) -> Scored:
    """Write paired scores to `request.destination` (.npy of shape [2, n]: p, q)."""
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
    if labels is None:
        name, compared = "agreement", metrics.agreement(baseline, variant, request.task)
        error = _constant(baseline, request.task)
    else:
        name = request.metric or metrics.default_metric(request.task)
        compared = _metric(name, request)(baseline, variant, labels)
        error = _constant(baseline, request.task) or _chance(name, baseline, labels, compared.baseline)
    scores = compared.scores
    np.save(request.destination, np.stack([scores.p, scores.q]))
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
    )


def _metric(name: str, request: Score) -> metrics.Compare:
    if name in metrics.METRICS:
        return metrics.METRICS[name]
    from gatekeeper.evaluate.datasets.loader import user_function

    return metrics.user_metric(user_function(name, Path(request.folder)))


def _constant(outputs: Any, task: str | None) -> str | None:
    import numpy as np

    if (outputs == outputs[0]).all() and len(outputs) > 1:
        return "the baseline gives the same output for every example. Check the inputs and the model."
    if task is None or task.endswith("classification"):
        found = metrics.classes(outputs)
        if len(found) > 1 and len(np.unique(found)) == 1:
            return f"the baseline predicts class {found[0]} for every example. Check the inputs and their preprocessing."
    return None


def _chance(metric: str, outputs: Any, labels: Any, value: float) -> str | None:
    """Why the baseline is no better than a guess that ignores its input; None if it is better."""
    import numpy as np
    from scipy.special import bdtrc

    advice = "Check the preprocessing and the labels, or use a better model."
    if metric in metrics.CLASSIFICATION:
        counts = np.sort(np.unique(labels, return_counts=True)[1])[::-1]
        if len(counts) == 1:
            return "every label is the same class; accuracy says nothing about such a set. Use a varied evaluation set."
        hits = value if metric != "macro_f1" else float((metrics.classes(outputs) == labels.reshape(-1)).mean())
        guess = counts[: 5 if metric == "top5_accuracy" else 1].sum() / len(labels)
        correct = round(hits * len(labels))
        if not (guess < 1 and correct > 0 and bdtrc(correct - 1, len(labels), guess) <= CHANCE_ALPHA):
            guessing = f"always answering the most common label gets {guess:.1%}"
            return f"the baseline is no better than chance: {hits:.1%} right, and {guessing}. {advice}"
    elif metric in metrics.REGRESSION:
        explained = metrics.r2(outputs, outputs, labels).baseline
        if explained <= 0:
            return f"the baseline is no better than answering the mean (R2 = {explained:.3f}). {advice}"
    elif value <= 0:
        return f"the baseline's {metric} is {value:.3g}; nothing of it can be kept. {advice}"
    return None
