"""Variants that answer nothing any more. An average may hide it: where 96 % of the examples are of one class, answering that
class whatever comes keeps 96 % of the accuracy.
"""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics._positions import answered

FEWEST = 16
FEWER = 0.05
"""A variant of at most so many different answers, and at most this share of the original's, has collapsed."""

FLAT = 1e-6
"""Share of the original's variance below which a variant's answers are all the same but for rounding."""

OFTEN = 5
"""Answers that make a class one that the original gives."""

NEIGHBOURS = 10
ALIKE = 0.5
MOST_COMPARED = 2000


def collapsed(baseline: Any, variant: Any, task: str | None, classification: bool) -> str:
    """In which way the variant's outputs, of shape [examples, ...], have collapsed where the baseline's have not; or nothing."""
    if classification:
        return _few_classes(baseline, variant)
    return _flat(baseline, variant) or (_other_neighbours(baseline, variant) if task == "embedding" else "")


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


def _few_classes(baseline: Any, variant: Any) -> str:
    import numpy as np

    ours, theirs = answered(variant, baseline), answered(baseline)
    given, counts = np.unique(theirs, return_counts=True)
    left = np.unique(ours)
    if len(given) < 2:
        return ""
    if len(left) == 1:
        return f"it answers class {left[0]} whatever it sees, where the original answers {len(given)} classes"
    often = given[counts >= OFTEN]
    kept = np.isin(often, left).sum()
    if len(often) >= 2 and kept <= len(often) / 2:
        return f"it never answers {len(often) - kept} of the {len(often)} classes that the original answers"
    return ""


def _flat(baseline: Any, variant: Any) -> str:
    import numpy as np

    b, v = (outputs.reshape(len(outputs), -1).astype(float) for outputs in (baseline, variant))
    spread = b.var(axis=0).sum()
    if not spread > 0:
        return ""
    if v.var(axis=0).sum() <= FLAT * spread:
        return f"it gives the same output for each of the {len(v)} examples, which the original does not"
    ours, theirs = (len(np.unique(values, axis=0)) for values in (v, b))
    if ours <= min(FEWEST, FEWER * theirs):
        return f"it gives {ours} different outputs for {len(v)} examples, the original {theirs}"
    return ""


def _other_neighbours(baseline: Any, variant: Any) -> str:
    """Embeddings are used to find what is alike: the nearest ones must mostly stay the nearest."""
    kept = neighbours_kept(baseline, variant)
    if kept is not None and kept < ALIKE:
        return f"only {kept:.0%} of the {NEIGHBOURS} nearest neighbours of an example stay among them"
    return ""


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
