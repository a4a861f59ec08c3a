"""What a worker scored, as the records that gates and reports read."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.score import Looks, Scored
from gatekeeper.records.evidence import Comparison
from gatekeeper.records.measured import Quality
from gatekeeper.records.scores import Counts, PairedScores


def comparison_of(answer: Scored, scores: PairedScores | None, looks: Looks) -> Comparison:
    """Everything that was answered."""
    return Comparison(
        metric=answer.metric,
        baseline=answer.baseline,
        variant=answer.variant,
        scores=scores,
        agreement=answer.agreement,
        error=answer.error,
        details=answer.details,
        collapsed=answer.collapsed,
        signs=answer.signs,
        worse=tuple(answer.worse),
        outputs=tuple(answer.outputs),
        unjudged=answer.unjudged,
        classes=tuple(answer.classes),
        alone=looks == "alone",
        near=answer.near,
        close=answer.close,
        calibrated=answer.calibrated,
        flips=answer.flips,
    )


def scores_of(answer: Scored, rows: Any) -> PairedScores:
    """The scores that were written."""
    truth, unit = rows[2:] if answer.kind == "classes" else (None, None)
    own = rows[2] if answer.kind == "bounded" and len(rows) == 3 else None
    counts = Counts(rows, answer.union) if answer.kind == "pooled" else None
    p, q = (rows[4].sum(axis=1), rows[2].sum(axis=1)) if counts else rows[:2]
    return PairedScores(
        kind=answer.kind,
        p=p,
        q=q,
        examples=answer.examples,
        power=answer.power,
        low=answer.low,
        high=answer.high,
        truth=truth,
        unit=unit,
        counts=counts,
        copies=answer.copies,
        unseen=answer.unseen,
        own=own,
    )


def quality(comparison: Comparison, variant: bool) -> Quality | None:
    """What a report says of one side of a comparison."""
    value = comparison.variant if variant else comparison.baseline
    if value is None or comparison.scores is None:
        return None
    details, worse, flips = (comparison.details, comparison.worse, comparison.flips) if variant else ({}, (), None)
    examples = comparison.scores.examples
    return Quality(metric=comparison.metric, value=value, examples=examples, details=details, worse=list(worse), flips=flips)
