"""Vectors that are compared with one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "embedding"
ANSWERS = "numbers"
DESCRIPTION = "a vector an example, compared with others by its direction"
UNLABELLED = "mean cosine with the original's vector, as they are or each less the mean of all, whichever is less"
LABELS = "a reference vector an example, as long as the output's"


def check(labels: Any, answers: Any, way: Any) -> Any:
    """Vectors as they are, as long as the answers."""
    from gatekeeper.evaluate.metrics.cosine_similarity import cosines

    cosines(answers[:1], labels[:1])
    return labels


def agreement(baseline: Any, variant: Any) -> Pair:
    """Mean cosine between the two models' vectors, as they are or each less the mean of all, whichever is less."""
    from gatekeeper.evaluate.metrics import cosine_similarity
    from gatekeeper.evaluate.metrics._base import Pair

    found = cosine_similarity.compare(baseline, variant, baseline)
    return Pair(1.0, float(found.scores.p.mean()), found.scores)


def signs(baseline: Any, variant: Any) -> dict[str, float]:
    """How far the vectors spread, and which of their neighbours stay."""
    from gatekeeper.evaluate.collapse import neighbours_kept, of_values

    kept = neighbours_kept(baseline, variant)
    return of_values(baseline, variant) | ({} if kept is None else {"neighbours_kept": kept})
