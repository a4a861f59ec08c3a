"""Variants that answer nothing any more: the numbers that show it, and what it is in words. What they show is decided by
gatekeeper/gates/_collapse.py, here and wherever a report is judged again.
"""

from __future__ import annotations

from typing import Any

from gatekeeper.data.parts import parts
from gatekeeper.gates._collapse import (
    Numbers,
    classes_lost,
    few_values,
    flat,
    no_scores,
    one_class,
    one_surety,
    other_neighbours,
)

OFTEN = 5
"""Answers that make a class one that the original gives."""

NEIGHBOURS = 10
MOST_COMPARED = 2000


def collapsed(numbers: Numbers, examples: int, answered: Any) -> str:
    """In which way outputs that show these numbers have collapsed; or nothing. `answered` are the variant's classes."""
    if "classes" in numbers:
        return _few_classes(numbers, answered)
    if flat(numbers):
        return f"it gives the same output for each of the {examples} examples, which the original does not"
    if few_values(numbers):
        ours, theirs = numbers["different"], numbers["different_before"]
        return f"it gives {ours} different outputs for {examples} examples, the original {theirs}"
    if "neighbours_kept" in numbers and other_neighbours(numbers):
        return f"only {numbers['neighbours_kept']:.0%} of the {NEIGHBOURS} nearest neighbours of an example stay among them"
    if "surety" in numbers and one_surety(numbers):
        return "it gives every box the same score, which the original does not"
    if "surest" in numbers and no_scores(numbers):
        return f"the scores of its boxes go up to {numbers['surest']:.4g}, the original's to {numbers['surest_before']:.4g}"
    return ""


def not_finite(baseline: Any, variant: Any) -> str:
    """Values that are no numbers any more; empty where there are none."""
    import numpy as np

    if variant.dtype.kind != "f":
        return ""
    rows = 0
    for part in parts(variant):
        lost = ~np.isfinite(variant[part])
        if baseline.dtype.kind == "f":
            lost &= np.isfinite(baseline[part])
        rows += int(lost.reshape(len(lost), -1).any(axis=1).sum())
    return (
        f"its output holds NaN or infinite values on {rows} of {len(variant)} examples, the original's is finite" if rows else ""
    )


def all_finite(outputs: Any) -> bool:
    """Whether every value is a number; some at a time, as scores of every pixel may be more than fits."""
    import numpy as np

    return outputs.dtype.kind != "f" or all(np.isfinite(outputs[part]).all() for part in parts(outputs))


def _few_classes(numbers: Numbers, answered: Any) -> str:
    if one_class(numbers):
        return f"it answers class {answered[0]} whatever it sees, where the original answers {numbers['classes_before']} classes"
    if classes_lost(numbers):
        often = numbers["often"]
        return f"it never answers {often - numbers['often_kept']} of the {often} classes that the original answers"
    return ""


def of_classes(baseline: Any, variant: Any) -> dict[str, float]:
    """How many classes are answered, and of those that the original answers often how many the variant ever does; of every
    answer, one after the other.
    """
    import numpy as np

    left = np.unique(variant)
    given, counts = np.unique(baseline, return_counts=True)
    often = given[counts >= OFTEN]
    kept = int(np.isin(often, left).sum())
    return {"classes": len(left), "classes_before": len(given), "often": len(often), "often_kept": kept}


def of_values(baseline: Any, variant: Any) -> dict[str, float]:
    """How far outputs spread over the examples, and how many of them differ."""
    import numpy as np

    b, v = (outputs.reshape(len(outputs), -1).astype(float) for outputs in (baseline, variant))
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers near the largest there are
        spread, before = (float(np.nan_to_num(values.var(axis=0).sum(), nan=np.finfo(float).max)) for values in (v, b))
    ours, theirs = (len(np.unique(values, axis=0)) for values in (v, b))
    return {"spread": spread, "spread_before": before, "different": ours, "different_before": theirs}


def of_boxes(baseline: Any, variant: Any) -> dict[str, float]:
    """How far the scores of sure boxes differ, and the highest: of boxes as gatekeeper/evaluate/detection/form.py has them. Where
    few are sure, that they differ says nothing, and that they are gone is seen elsewhere.
    """
    from gatekeeper.evaluate.detection.form import SCORE, SURE

    theirs, ours = (boxes[:, :, SCORE][boxes[:, :, SCORE] >= SURE].astype(float) for boxes in (baseline, variant))
    spread, before = (float(scores.var()) if min(len(ours), len(theirs)) >= OFTEN else 0.0 for scores in (ours, theirs))
    highest, was = (float(scores.max(initial=0.0)) for scores in (ours, theirs))
    return {"surety": spread, "surety_before": before, "surest": highest, "surest_before": was}


def neighbours_kept(baseline: Any, variant: Any) -> float | None:
    """Mean share of the nearest neighbours by cosine, after centring, that stay so; None of too few examples to say."""
    import numpy as np

    if len(baseline) < 5 * NEIGHBOURS:
        return None
    step = -(-len(baseline) // MOST_COMPARED)
    ours, theirs = (_nearest(centred(outputs[::step])) for outputs in (variant, baseline))
    shares = [len(np.intersect1d(a, b)) / NEIGHBOURS for a, b in zip(ours, theirs, strict=True)]
    return float(np.mean(shares))


def centred(outputs: Any) -> Any:
    """Vectors less their mean, [examples, values]: a direction that all share makes all alike and says nothing."""
    vectors = outputs.reshape(len(outputs), -1).astype(float)
    return vectors - vectors.mean(axis=0)


def _nearest(vectors: Any) -> Any:
    """Indices of the nearest of each, [examples, NEIGHBOURS]."""
    import numpy as np

    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    return np.argpartition(-cosine, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
