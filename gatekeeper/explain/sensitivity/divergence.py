"""How far answers are from those they should be, as a Kullback-Leibler divergence in nats: 0 where nothing changes.

Of classes, D(p || q) = sum p ln(p / q), with p the original's distribution over the last axis and q the variant's, averaged over
all others. Of numbers, that of two normal distributions of the spread that the original's answers have over the examples, and
means apart by what changed: D = (a - b)^2 / (2 s^2), averaged over an example's numbers. (Cover and Thomas, Elements of
Information Theory, 2nd ed., 2.3 and 8.5.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LEAST = 1e-12
"""What a probability is at least: a class that one model rules out would make any difference infinite."""
WORST = 1e6
"""What is said of answers that are no numbers: no finite divergence is so large, with probabilities from LEAST up."""


def divergence(original: Sequence[Any], variant: Sequence[Any], classes: bool) -> float:
    """The sum over outputs, arrays [examples, ...] of floating-point numbers; others are left out. `classes`: their last axis is
    of scores or probabilities, where it has more than one.
    """
    import numpy as np

    total = 0.0
    for a, b in zip(original, variant, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype.kind != "f" or not a.size:
            continue
        if a.shape != b.shape or not np.isfinite(b).all():
            return WORST
        if not np.isfinite(a).all():
            a, b = (np.where(np.isfinite(a), each, 0) for each in (a, b))
        total += _classes(a, b) if classes and a.ndim > 1 and a.shape[-1] > 1 else _numbers(a, b)
    return min(total, WORST)


def _classes(a: Any, b: Any) -> float:
    import numpy as np

    p = probabilities(a)
    q = probabilities(b) if not _distribution(a) else _normal(b)
    return float(max(0.0, (p * (np.log(p) - np.log(q))).sum(axis=-1).mean()))


def _numbers(a: Any, b: Any) -> float:
    import numpy as np

    a, b = a.astype(np.float64), b.astype(np.float64)
    spread = a.std(axis=0)
    spread = np.where(spread > 0, spread, max(float(a.std()), LEAST))
    return float((((a - b) / spread) ** 2 / 2).mean())


def probabilities(scores: Any) -> Any:
    """Distributions over the last axis: as they are where they are that already, else by softmax."""
    import numpy as np

    if _distribution(scores):
        return _normal(scores)
    shifted = scores.astype(np.float64)
    shifted = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    return _normal(shifted / shifted.sum(axis=-1, keepdims=True))


def _distribution(scores: Any) -> bool:
    import numpy as np

    return bool((scores >= 0).all() and np.allclose(scores.sum(axis=-1), 1, atol=1e-3))


def _normal(p: Any) -> Any:
    import numpy as np

    p = np.maximum(p.astype(np.float64), LEAST)
    return p / p.sum(axis=-1, keepdims=True)
