"""Metrics, as scores that pair by example, so that a loss can be told from chance.

Each metric turns (outputs, labels) of the baseline and of the variant into `PairedScores`; values are
scikit-learn's where it has the metric.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.records.scores import PairedScores

GROUPS = 50  # of the jackknife, for metrics that are no mean over examples


@dataclass(frozen=True)
class Comparison:
    """Values of one metric for both models, and the scores behind them."""

    baseline: float
    variant: float
    scores: PairedScores


Compare = Callable[[Any, Any, Any], Comparison]  # (baseline outputs, variant outputs, labels)


def classes(outputs: Any, reference: Any = None) -> Any:
    """Predicted class of each example: the largest score, a threshold for one score, or the label itself.

    Whether single scores are probabilities or logits is told from `reference`, the baseline's outputs, so that both
    models are read alike.
    """
    import numpy as np

    if outputs.dtype.kind in "iub":
        return outputs.reshape(len(outputs), -1)[:, 0].astype(np.int64)
    scores = outputs.reshape(len(outputs), -1)
    if scores.shape[1] > 1:
        return scores.argmax(axis=1)
    known = outputs if reference is None else reference
    threshold = 0.5 if known.min() >= 0 and known.max() <= 1 else 0.0
    return (scores[:, 0] > threshold).astype(np.int64)


def accuracy(baseline: Any, variant: Any, labels: Any) -> Comparison:
    """Share of examples whose predicted class is the label."""
    truth = _class_labels(labels)
    return _binary(classes(baseline) == truth, classes(variant, baseline) == truth)


def top5_accuracy(baseline: Any, variant: Any, labels: Any) -> Comparison:
    """Share of examples whose label is among the five highest scores."""
    truth = _class_labels(labels)[:, None]

    def hits(outputs: Any) -> Any:
        if outputs.ndim != 2 or outputs.shape[1] < 6:
            raise NotMeasured("data", f"top5_accuracy needs scores of at least 6 classes; the output has shape {outputs.shape}.")
        return ((-outputs).argsort(axis=1, kind="stable")[:, :5] == truth).any(axis=1)

    return _binary(hits(baseline), hits(variant))


def macro_f1(baseline: Any, variant: Any, labels: Any) -> Comparison:
    """Unweighted mean of the classes' F1."""
    truth = _class_labels(labels)
    all_classes = sorted(set(truth.tolist()))

    def f1(predicted: Any, labels: Any) -> float:
        return f1_of(predicted, labels, all_classes)

    return _jackknife(f1, classes(baseline), classes(variant, baseline), truth)


def f1_of(predicted: Any, labels: Any, all_classes: list[int]) -> float:
    """Macro F1 of predicted classes, over classes that may be missing from these labels."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predicted, labels=all_classes, average="macro", zero_division=0))


def mae(baseline: Any, variant: Any, labels: Any) -> Comparison:
    """Mean absolute error; lower is better, so the retention is baseline / variant."""
    import numpy as np

    b, v = _mean_over_outputs(np.abs(_error(baseline, labels))), _mean_over_outputs(np.abs(_error(variant, labels)))
    return Comparison(float(b.mean()), float(v.mean()), PairedScores("real", p=b, q=v, examples=len(b)))


def rmse(baseline: Any, variant: Any, labels: Any) -> Comparison:
    """Root mean squared error; the scores are squared errors, the retention their ratio's root."""
    b, v = _mean_over_outputs(_error(baseline, labels) ** 2), _mean_over_outputs(_error(variant, labels) ** 2)
    scores = PairedScores("real", p=b, q=v, examples=len(b), power=0.5)
    return Comparison(float(b.mean()) ** 0.5, float(v.mean()) ** 0.5, scores)


def r2(baseline: Any, variant: Any, labels: Any) -> Comparison:
    """Share of the labels' variance that is explained: the scores are each example's share of it."""
    truth = labels.reshape(len(labels), -1).astype(float)
    spread = _mean_over_outputs((truth - truth.mean(axis=0)) ** 2)
    if spread.mean() == 0:
        raise NotMeasured("data", "all labels are the same value; R2 says nothing about them. Use a varied evaluation set.")
    b = (spread - _mean_over_outputs(_error(baseline, labels) ** 2)) / spread.mean()
    v = (spread - _mean_over_outputs(_error(variant, labels) ** 2)) / spread.mean()
    return Comparison(float(b.mean()), float(v.mean()), PairedScores("real", p=v, q=b, examples=len(b)))


def cosine_similarity(baseline: Any, variant: Any, labels: Any) -> Comparison:
    """Mean cosine between each output and its reference vector."""
    import numpy as np

    reference = labels.reshape(len(labels), -1).astype(float)

    def cosine(outputs: Any) -> Any:
        vectors = outputs.reshape(len(outputs), -1).astype(float)
        if vectors.shape != reference.shape:
            raise NotMeasured("data", f"outputs have {vectors.shape[1]} values and references {reference.shape[1]}.")
        norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
        return np.divide((vectors * reference).sum(axis=1), norms, out=np.zeros(len(norms)), where=norms > 0)

    b, v = cosine(baseline), cosine(variant)
    scores = PairedScores("bounded", p=v, q=b, examples=len(b), low=-1.0, high=1.0)
    return Comparison(float(b.mean()), float(v.mean()), scores)


METRICS: dict[str, Compare] = {
    "accuracy": accuracy,
    "top5_accuracy": top5_accuracy,
    "macro_f1": macro_f1,
    "mae": mae,
    "rmse": rmse,
    "r2": r2,
    "cosine_similarity": cosine_similarity,
}

CLASSIFICATION = ("accuracy", "top5_accuracy", "macro_f1")
REGRESSION = ("mae", "rmse", "r2")


def default_metric(task: str | None) -> str:
    """The metric of a task."""
    return {"regression": "r2", "embedding": "cosine_similarity"}.get(task or "", "accuracy")


def user_metric(function: Callable[[Any, Any], Any]) -> Compare:
    """A metric from the user's function of (outputs, labels): one value, or one value per example."""
    import numpy as np

    def compare(baseline: Any, variant: Any, labels: Any) -> Comparison:
        b, v = np.asarray(function(baseline, labels), dtype=float), np.asarray(function(variant, labels), dtype=float)
        if b.ndim == 0:
            return _jackknife(lambda outputs, truth: float(function(outputs, truth)), baseline, variant, labels)
        if b.shape != (len(labels),) or v.shape != b.shape:
            raise NotMeasured("data", f"the metric must return one value or one per example, not shape {b.shape}.")
        return Comparison(float(b.mean()), float(v.mean()), PairedScores("real", p=v, q=b, examples=len(b)))

    return compare


def agreement(baseline: Any, variant: Any, task: str | None) -> Comparison:
    """Share of examples on which the variant answers like the baseline; for use without labels.

    Classes must be equal and numbers within 5 % of the baseline's own spread; for embeddings it is the mean cosine
    between the two models' vectors.
    """
    import numpy as np

    if task == "embedding":
        found = cosine_similarity(baseline, variant, baseline)
        return Comparison(1.0, found.variant, found.scores)
    if task == "regression":
        b = baseline.reshape(len(baseline), -1).astype(float)
        v = variant.reshape(len(variant), -1).astype(float)
        same = (np.abs(v - b) <= 0.05 * b.std(axis=0)).all(axis=1)
    else:
        same = classes(baseline) == classes(variant, baseline)
    return _binary(np.ones(len(same), dtype=bool), same)


def _class_labels(labels: Any) -> Any:
    import numpy as np

    flat = labels.reshape(len(labels), -1)
    if flat.shape[1] != 1 or (flat != np.round(flat)).any():
        raise NotMeasured("data", f"class labels must be one whole number per example; these have shape {labels.shape}.")
    return flat[:, 0].astype(np.int64)


def _error(outputs: Any, labels: Any) -> Any:
    found, truth = outputs.reshape(len(outputs), -1).astype(float), labels.reshape(len(labels), -1).astype(float)
    if found.shape != truth.shape:
        raise NotMeasured("data", f"the model gives {found.shape[1]} values an example and the labels have {truth.shape[1]}.")
    return found - truth


def _mean_over_outputs(values: Any) -> Any:
    return values.mean(axis=1)


def _binary(baseline: Any, variant: Any) -> Comparison:
    b, v = baseline.astype(float), variant.astype(float)
    return Comparison(float(b.mean()), float(v.mean()), PairedScores("binary", p=v, q=b, examples=len(b)))


def _jackknife(metric: Callable[[Any, Any], float], baseline: Any, variant: Any, labels: Any) -> Comparison:
    """Delete-a-group pseudo-values, so that a metric of the whole set pairs like one of examples.

    Pseudo-value g is G*M - (G-1)*M_without_g; their mean estimates M and their spread its error (Quenouille,
    Tukey; Efron and Tibshirani, "An Introduction to the Bootstrap", chapter 11).
    """
    import numpy as np

    count = len(labels)
    groups = min(GROUPS, count)
    member = np.random.default_rng(0).permutation(count) % groups

    def pseudo(outputs: Any, whole: float) -> Any:
        without = [metric(outputs[member != g], labels[member != g]) for g in range(groups)]
        return groups * whole - (groups - 1) * np.asarray(without)

    b, v = metric(baseline, labels), metric(variant, labels)
    return Comparison(b, v, PairedScores("real", p=pseudo(variant, v), q=pseudo(baseline, b), examples=count))
