"""Variants that answer nothing any more: the numbers that show it, and what it is in words. What they show is decided by
gatekeeper/gates/_collapse.py, here and wherever a report is judged again.
"""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics._positions import answered
from gatekeeper.gates._collapse import Numbers, classes_lost, few_values, flat, one_class, other_neighbours

OFTEN = 5
"""Answers that make a class one that the original gives."""

NEIGHBOURS = 10
MOST_COMPARED = 2000


def read(baseline: Any, variant: Any, task: str | None, classification: bool) -> dict[str, float]:
    """What shows a collapse of the variant's outputs, of shape [examples, ...], beside the baseline's."""
    if classification:
        return _classes(baseline, variant)
    kept = neighbours_kept(baseline, variant) if task == "embedding" else None
    return _values(baseline, variant) | ({} if kept is None else {"neighbours_kept": kept})


def collapsed(numbers: Numbers, baseline: Any, variant: Any) -> str:
    """In which way outputs of which `read` found these numbers have collapsed; or nothing."""
    if "classes" in numbers:
        return _few_classes(numbers, baseline, variant)
    if flat(numbers):
        return f"it gives the same output for each of the {len(variant)} examples, which the original does not"
    if few_values(numbers):
        ours, theirs = numbers["different"], numbers["different_before"]
        return f"it gives {ours} different outputs for {len(variant)} examples, the original {theirs}"
    if "neighbours_kept" in numbers and other_neighbours(numbers):
        return f"only {numbers['neighbours_kept']:.0%} of the {NEIGHBOURS} nearest neighbours of an example stay among them"
    return ""


def not_finite(baseline: Any, variant: Any) -> str:
    """Values that are no numbers any more; empty where there are none."""
    import numpy as np

    if variant.dtype.kind != "f":
        return ""
    lost = ~np.isfinite(variant)
    if baseline.dtype.kind == "f":
        lost &= np.isfinite(baseline)
    rows = int(lost.reshape(len(lost), -1).any(axis=1).sum())
    return f"its output holds NaN or infinite values on {rows} of {len(lost)} examples, the original's is finite" if rows else ""


def _few_classes(numbers: Numbers, baseline: Any, variant: Any) -> str:
    if one_class(numbers):
        left = answered(variant, baseline)[0]
        return f"it answers class {left} whatever it sees, where the original answers {numbers['classes_before']} classes"
    if classes_lost(numbers):
        often = numbers["often"]
        return f"it never answers {often - numbers['often_kept']} of the {often} classes that the original answers"
    return ""


def _classes(baseline: Any, variant: Any) -> dict[str, float]:
    """Classes that are answered, and of those that the original answers often how many the variant ever does."""
    import numpy as np

    left = np.unique(answered(variant, baseline))
    given, counts = np.unique(answered(baseline), return_counts=True)
    often = given[counts >= OFTEN]
    kept = int(np.isin(often, left).sum())
    return {"classes": len(left), "classes_before": len(given), "often": len(often), "often_kept": kept}


def _values(baseline: Any, variant: Any) -> dict[str, float]:
    """How far outputs spread over the examples, and how many of them differ."""
    import numpy as np

    b, v = (outputs.reshape(len(outputs), -1).astype(float) for outputs in (baseline, variant))
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers near the largest there are
        spread, before = (float(np.nan_to_num(values.var(axis=0).sum(), nan=np.finfo(float).max)) for values in (v, b))
    ours, theirs = (len(np.unique(values, axis=0)) for values in (v, b))
    return {"spread": spread, "spread_before": before, "different": ours, "different_before": theirs}


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
