"""Metrics, as scores that pair by example, so that a loss can be told from chance.

A metric is a module of this folder; its file name is what `dataset.metric` says. It has:

FAMILY     the tasks it judges: those of gatekeeper/evaluate/tasks with the same FAMILY
DEFAULT    whether it is the one of its family where the file names none
compare(baseline, variant, labels) -> Pair, of answers as the task reads them, and labels, of shape [examples, ...]; values are
           scikit-learn's where it has the metric. Metrics of text have none: gatekeeper/evaluate/text/score.py reads tokens
guess(answers, labels) -> what an answer that does not look at the input scores, or None where the labels cannot tell; of an error
           rate one less that. Or
CHANCE     0.0: such an answer scores no more than that, so that anything above is better than chance
RIGHT_OR_WRONG  whether each example is one of both, so that a report must have the counts; it may be left out
NAMED      whether both take the names of the classes as well, as their last argument; it may be left out

The module itself imports nothing heavy: `validate` asks it what it is for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from gatekeeper.errors import NotMeasured
from gatekeeper.records.scores import PairedScores
from gatekeeper.registry import Registry

REGISTRY = Registry("evaluate.metrics")
CLASSIFICATION, REGRESSION = "classification", "regression"


class Undefined(NotMeasured):
    """The metric has no value for the variant, where it has one for the baseline: that is the variant's failure."""

    def __init__(self, message: str, baseline: float):
        self.baseline = baseline
        super().__init__("model", message)


@dataclass(frozen=True)
class Pair:
    """Values of one metric for both models, and the scores behind them. `level` is what a share of the baseline's is kept of,
    where that is not its value: of an error rate what is left of one. `above` says that the scores are what each example has
    above what a guess gets of it, so that this is what is kept or lost.
    """

    baseline: float
    variant: float
    scores: PairedScores
    level: float | None = None
    above: bool = False


Compare = Callable[[Any, Any, Any], Pair]  # (baseline outputs, variant outputs, labels)


class Metric(Protocol):
    """The shape of a metric module."""

    FAMILY: str
    DEFAULT: bool
    compare: Callable[..., Pair]


def metric(name: str) -> Metric:
    """The metric of that name."""
    return cast(Metric, REGISTRY.get(name))


def family(name: str) -> str:
    """What kind of task a metric judges; empty for one of the user's own."""
    return metric(name).FAMILY if name in REGISTRY.names else ""


def with_names(name: str, names: tuple[str, ...]) -> tuple[Compare, Callable[[Any, Any], float | None] | None]:
    """The functions `compare` and `guess` of a metric; the latter None where it has none."""
    module = metric(name)
    compare, guess = module.compare, getattr(module, "guess", None)
    if not getattr(module, "NAMED", False):
        return compare, guess
    return (lambda b, v, labels: compare(b, v, labels, names)), guess and (lambda a, labels: guess(a, labels, names))


def of_family(wanted: str) -> list[str]:
    """The metrics of a kind of task, its default first."""
    own = [name for name in REGISTRY.names if wanted == metric(name).FAMILY]
    return sorted(own, key=lambda name: not metric(name).DEFAULT)


def families() -> list[str]:
    """Every kind of task there are metrics for."""
    return list(dict.fromkeys(metric(name).FAMILY for name in REGISTRY.names))


def default_of(wanted: str) -> str:
    """The metric of a kind of task where none is named; `NotMeasured` where there is none."""
    if found := of_family(wanted):
        return found[0]
    raise NotMeasured("data", f"no metric judges {wanted}. Name one of your own (`dataset.metric: package.module:function`).")


def classes(outputs: Any, reference: Any = None) -> Any:
    """Predicted class of each example: the largest score, a threshold for one score, or the label itself.

    Whether single scores are probabilities or logits is told from `reference`, the baseline's outputs, so that both
    models are read alike.
    """
    import numpy as np

    if outputs.dtype.kind in "US":
        return outputs.reshape(len(outputs), -1)[:, 0]
    if outputs.dtype.kind in "iub":
        return whole_numbers(outputs.reshape(len(outputs), -1)[:, 0], "the classes that the model answers")
    if outputs.ndim > 2 and sum(length > 1 for length in outputs.shape[1:]) > 1:
        raise NotMeasured(
            "data",
            f"the output has shape {outputs.shape}: several answers an example, which one label an example cannot judge. Leave "
            "the labels out to judge by agreement, or give a metric of your own (`dataset.metric: package.module:function`).",
        )
    scores = outputs.reshape(len(outputs), -1)
    if scores.shape[1] > 1:
        return scores.argmax(axis=1)
    known = outputs if reference is None else reference
    threshold = 0.5 if known.min() >= 0 and known.max() <= 1 else 0.0
    return (scores[:, 0] > threshold).astype(np.int64)


def class_labels(labels: Any, outputs: Any = None) -> Any:
    """Labels as the classes that outputs are read as, [examples]: whole numbers, or names where the outputs are names.

    One-hot rows are the column that is 1. Names are the columns of the outputs in their sorted order, as scikit-learn has it.
    `NotMeasured` where they are neither.
    """
    import numpy as np

    flat = labels.reshape(len(labels), -1)
    if flat.dtype.kind in "US":
        return _named(flat, outputs)
    if one_hot(flat):
        return flat.argmax(axis=1)
    if flat.shape[1] != 1 or (flat != np.round(flat)).any():
        raise NotMeasured(
            "data",
            f"class labels must be one whole number per example; these are {labels.dtype} of shape {labels.shape}. "
            "Save class indices.",
        )
    return whole_numbers(flat[:, 0], "class labels")


def one_hot(labels: Any) -> bool:
    """Whether labels, [examples, classes], are rows with a single 1."""
    import numpy as np

    return bool(labels.shape[1] > 1 and np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all())


def whole_numbers(values: Any, what: str) -> Any:
    """Whole numbers as int64, each exactly; `NotMeasured` where one is too large for that, or for its own type to be exact."""
    import numpy as np

    most = 2**63 - 1 if values.dtype.kind != "f" else min(2 ** (np.finfo(values.dtype).nmant + 1), 2**63) - 1
    if values.dtype.kind in "uf" and len(values) and not -most <= (worst := max(values.min(), values.max(), key=abs)) <= most:
        raise NotMeasured(
            "data", f"{what} go to {worst}, and as {values.dtype} only those up to {most} are exact. Number them anew."
        )
    return values.astype(np.int64)


def _named(flat: Any, outputs: Any) -> Any:
    """Names as columns of the outputs."""
    import numpy as np

    if flat.shape[1] != 1:
        raise NotMeasured("data", f"class labels must be one name per example; these have {flat.shape[1]}. Save one.")
    if outputs is None or outputs.dtype.kind in "US":
        return flat[:, 0]
    names, codes = np.unique(flat[:, 0], return_inverse=True)
    columns = outputs.reshape(len(outputs), -1).shape[1]
    columns = 2 if columns == 1 else columns
    if outputs.dtype.kind != "f" or len(names) != columns:
        raise NotMeasured(
            "data",
            f"the labels have {len(names)} names and the output {columns} classes, so which is which is not known. "
            "Save class indices instead of names.",
        )
    return codes.reshape(-1)


def errors(outputs: Any, labels: Any) -> Any:
    """Outputs less labels, [examples, values]."""
    for what, array in (("output", outputs), ("labels", labels)):
        if array.dtype.kind not in "biuf":
            raise NotMeasured("data", f"the {what} must be numbers for an error to be taken; these are {array.dtype}.")
    predicted, truth = outputs.reshape(len(outputs), -1).astype(float), labels.reshape(len(labels), -1).astype(float)
    if predicted.shape != truth.shape:
        raise NotMeasured(
            "data",
            f"the model gives {predicted.shape[1]} values an example and the labels have {truth.shape[1]}. "
            "Save as many, or name the output that has as many with `model.output`.",
        )
    return predicted - truth


def binary(baseline: Any, variant: Any) -> Pair:
    """Of right and wrong answers."""
    b, v = baseline.astype(float), variant.astype(float)
    return Pair(float(b.mean()), float(v.mean()), PairedScores("binary", p=v, q=b, examples=len(b)))
