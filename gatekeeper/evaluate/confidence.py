"""How sure classifiers are of their answers, out of their probabilities or logits."""

from __future__ import annotations

from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import class_labels, classes
from gatekeeper.records.scores import Calibrated
from gatekeeper.stats.calibration import calibrated

WHOLE = 0.02
"""How far probabilities of an example may be from adding up to one: eight bits round each of them."""
HALF_STEP = 1 / 512
"""What eight bits may take from each probability of a quantized variant, or add to it: with many classes that is more."""


def calibration(answers: Any, baseline: Any, variant: Any, labels: Any, units: Any, bins: int) -> Calibrated:
    """Of distinct examples, which `units` numbers; `problem` says why nothing is known. `answers` says what kind they are."""
    import numpy as np

    if answers != "class":
        return Calibrated(problem="the metric compares no classes, one an example, of which a model could be sure")
    if labels is None:
        return Calibrated(problem="the evaluation set has no labels, and without them nobody knows what is right. Add labels")
    first = np.unique(units, return_index=True)[1]
    try:
        truth = class_labels(labels, baseline)
        arms = [
            (sureness(each, baseline)[first], (classes(each, baseline) == truth)[first] * 1.0) for each in (baseline, variant)
        ]
    except NotMeasured as why:
        return Calibrated(problem=str(why).rstrip("."))
    return calibrated(arms[0], arms[1], bins)


def sureness(outputs: Any, reference: Any) -> Any:
    """The probability of the class that is answered, [examples]; `NotMeasured` of outputs that hold none.

    Whether they are probabilities or logits is told from `reference`, the baseline's, so that both models are read alike: where
    its are probabilities, so must those of the variant be, or how sure it is means nothing.
    """
    import numpy as np

    if outputs.dtype.kind != "f":
        raise NotMeasured("data", f"the output is {outputs.dtype}: answers without scores do not say how sure the model is")
    scores, known = (each.reshape(len(each), -1).astype(np.float64) for each in (outputs, reference))
    shares = known.min() >= -WHOLE and known.max() <= 1 + WHOLE
    if shares:
        _check_shares(known, WHOLE, "the output")
        _check_shares(scores, max(WHOLE, scores.shape[1] * HALF_STEP), "the variant's output")
    if scores.shape[1] == 1:
        yes = scores[:, 0] if shares else _sigmoid(scores[:, 0])
        return np.clip(np.maximum(yes, 1 - yes), 0, 1)
    if not shares:
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (scores / scores.sum(axis=1, keepdims=True)).max(axis=1)
    return np.clip(scores.max(axis=1), 0, 1)


def _check_shares(scores: Any, room: float, what: str) -> None:
    """`NotMeasured` where numbers that are read as probabilities, [examples, classes], are none; NaN is told elsewhere."""
    import numpy as np

    if (scores < -WHOLE).any() or (scores > 1 + WHOLE).any():
        raise NotMeasured("data", f"{what} holds numbers that are no probabilities, beside a baseline whose numbers are")
    if scores.shape[1] > 1 and (np.abs(scores.sum(axis=1) - 1) > room).any():
        raise NotMeasured("data", f"{what} holds shares that do not add up to one: neither probabilities of classes nor logits")


def _sigmoid(logits: Any) -> Any:
    import numpy as np

    return 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
