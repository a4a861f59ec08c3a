"""The variant's own accuracy is at least `min`, whatever the original's is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.gates._base import GateConfig, Told, unmeasured
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.mean import bounded_interval, share_interval, share_p_value

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.scores import PairedScores

DESCRIPTION = "The variant's own accuracy, by the metric of the dataset, is at least this."
UNIT = "fraction"
BOUND: Literal["at_least"] = "at_least"
BASIS: Literal["scores"] = "scores"
DEFAULT = None
OF_TENSORS = True
limit_key = "min"
ROUNDING = 1e-6
SAME_AS = ("gates", "accuracy", "min")


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the accuracy of the variant itself."""

    min: Annotated[float, Meta(gt=0, le=1, description="Least accuracy, by the metric of the dataset; also `accuracy.min`.")]


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the lower bound on the mean of the variant's scores clears the limit; the evaluation set is looked at once."""
    comparison = evidence.comparison
    if comparison.error or (comparison.scores is None and not comparison.collapsed):
        return unmeasured(comparison.error or "no accuracy was measured")
    if comparison.agreement:
        return unmeasured("the evaluation set has no labels, and without them nobody knows what is right. Add labels")
    if comparison.collapsed or comparison.scores is None:
        return Decision(verdict=Verdict.FAIL, reason=comparison.collapsed)
    scores = comparison.scores
    if (known := _interval(scores)) is None:
        return unmeasured(
            f"{comparison.metric} is no mean of examples' scores in a known range, so no least value is judged. Take another"
        )
    own, counts = known
    details: dict[str, Any] = {"metric": comparison.metric, "examples": scores.examples}
    details |= {"counts": list(counts)} if counts else {}
    said = f"{comparison.metric} is"
    if own.lower >= config.min:
        verdict, reason = Verdict.PASS, f"{said} {own.observed:.1%}, at least {own.lower:.1%}"
    elif own.upper < config.min:
        verdict, reason = Verdict.FAIL, f"{said} {own.observed:.1%}, at most {own.upper:.1%}, needs {config.min:.1%}"
    else:
        between = f"{said} between {own.lower:.1%} and {own.upper:.1%}, which does not decide {config.min:.1%}"
        verdict, reason = Verdict.INCONCLUSIVE, f"{between}; {scores.examples} examples cannot show it, more would"
    return Decision(verdict=verdict, reason=reason, observed=own.observed, lower=own.lower, upper=own.upper, details=details)


def _interval(scores: PairedScores) -> tuple[Interval, tuple[int, int] | None] | None:
    """Bounds on the mean of the variant's scores, and how many of how many are right where they are right or wrong."""
    import numpy as np

    if not np.isfinite(scores.q).all():  # the examples are spoilt, whichever model they were asked of
        return None
    p = scores.p if scores.own is None else scores.own
    if np.isin(p, (0.0, 1.0)).all() and scores.kind in ("binary", "real", "bounded"):
        right, examples = int(np.sum(p == 1)), len(p)
        return share_interval(right, examples, ALPHA), (right, examples)
    if scores.kind == "bounded" and scores.power == 1:
        low, high = (scores.low, scores.high) if scores.own is None else (min(scores.low, 0.0), max(scores.high, 1.0))
        return bounded_interval(p, low, high, ALPHA), None
    return None


def share(told: Told) -> float:
    """Of answers that are right or wrong what their counts say; of others its whole level is asked for."""
    counts, limit = told.gate.details.get("counts"), told.gate.limit
    if limit is None or not isinstance(counts, list) or len(counts) != 2:
        return 1.0
    right, examples = counts
    if not (isinstance(right, int) and isinstance(examples, int) and 0 <= right <= examples and examples > 0):
        return 1.0
    return share_p_value(right, examples, limit) / ALPHA


def again(config: Config, told: Told) -> Verdict | None:
    """Bounds that do not follow from the counts beside them are not believed, and without examples there are none."""
    details = told.gate.details
    examples, counts = details.get("examples"), details.get("counts")
    if not isinstance(examples, int) or examples < 1:
        return Verdict.ERROR
    if told.whole and not _as_measured(told, examples):
        return Verdict.ERROR
    if counts is None:
        return None
    if not (isinstance(counts, list) and len(counts) == 2 and all(isinstance(each, int) for each in counts)):
        return Verdict.ERROR
    right, n = counts
    if not 0 <= right <= n or n < 1 or n != examples:
        return Verdict.ERROR
    own = share_interval(right, n, ALPHA)
    if told.gate.observed is None or abs(told.gate.observed - own.observed) > ROUNDING:
        return Verdict.ERROR
    return Verdict.FAIL if own.upper < config.min else None if own.lower >= config.min else Verdict.INCONCLUSIVE


def _as_measured(told: Told, examples: int) -> bool:
    """Whether it is of as many examples as the variant's own value, and no more than that value; examples that come twice count
    once here, and more often there.
    """
    quality, basis, observed = told.variant.quality, told.leg.basis, told.gate.observed
    if quality is None or quality.value is None or basis is None or quality.examples != examples or observed is None:
        return False
    return basis.copies > 0 or observed <= quality.value + ROUNDING
