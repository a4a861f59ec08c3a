"""The variant keeps at least `retention` of the baseline's accuracy on the evaluation set."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.gates._base import GateConfig, Told, unmeasured
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.scores import PairedScores
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import examples_needed, retention_interval

DESCRIPTION = "The variant keeps at least this fraction of the baseline's accuracy."
UNIT = "fraction"
BOUND: Literal["at_least"] = "at_least"
BASIS: Literal["scores"] = "scores"
limit_key = "retention"
ALSO = ("agreement",)
SAME_AS = ("model_validation", "accuracy_threshold")

LEAST_EXAMPLES = 59
"""With no loss at all, 59 examples are the fewest that show 95 % retention: 0.95^59 < 5 %."""
COMFORTABLE_EXAMPLES = 500


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the accuracy gate."""

    retention: Annotated[float, Meta(gt=0, le=1, description="Least fraction of the baseline's accuracy that must be kept.")] = (
        0.95
    )


DEFAULT = Config()


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the lower bound of the retention clears the limit; the evaluation set is looked at once."""
    comparison = evidence.comparison
    name = "agreement" if comparison.agreement else None
    if comparison.error or (comparison.scores is None and not comparison.collapsed):
        return unmeasured(comparison.error or "no accuracy was measured")
    if comparison.scores is None:
        return Decision(verdict=Verdict.FAIL, reason=comparison.collapsed, name=name, details={"collapsed": True})
    scores = comparison.scores
    kept = retention_interval(scores, ALPHA)
    details: dict[str, Any] = {
        "metric": comparison.metric,
        "baseline": comparison.baseline,
        "variant": comparison.variant,
        "examples": scores.examples,
    }
    if scores.copies:
        details["copies"] = scores.copies
    details |= comparison.details | ({"collapsed": True} if comparison.collapsed else {})
    if not math.isfinite(kept.observed):
        return unmeasured(f"{comparison.metric} of the baseline is {comparison.baseline}, of which nothing can be kept")
    verdict, reason = (
        (Verdict.FAIL, comparison.collapsed)
        if comparison.collapsed
        else _decide(config.retention, kept, scores, "agrees with the original on" if comparison.agreement else "keeps")
    )
    values = f"{comparison.metric} {_number(comparison.baseline)} -> {_number(comparison.variant)}"
    if "kl_mean" in comparison.details:  # perplexity alone can even improve while answers change
        values += f", KL {comparison.details['kl_mean']:.2g}, same top token {comparison.details['same_top']:.1%}"
    return Decision(
        verdict=verdict,
        reason=f"{reason} ({values})",
        brief=reason,
        observed=kept.observed,
        lower=kept.lower,
        upper=kept.upper,
        name=name,
        details=details,
    )


def again(config: Config, told: Told) -> Verdict | None:
    """A collapse is a failure, and nothing else is decided by fewer examples than can show it, whatever their bounds."""
    if told.gate.details.get("collapsed"):
        return Verdict.FAIL
    quality = told.variant.quality
    stated = (told.gate.details.get("examples"), quality.examples if quality else None)
    counts = [count for count in stated if isinstance(count, int)]
    if not counts:
        return Verdict.ERROR
    missed = told.gate.upper is not None and told.gate.upper < config.retention
    return Verdict.INCONCLUSIVE if min(counts) < LEAST_EXAMPLES and not missed else None


def _decide(limit: float, kept: Interval, scores: PairedScores, keeps: str) -> tuple[Verdict, str]:
    examples = scores.examples
    if kept.upper < limit:
        return Verdict.FAIL, f"{keeps} {kept.observed:.1%}, at most {kept.upper:.1%}, needs {limit:.1%}"
    counted = f"{examples} {'distinct ' if scores.copies else ''}examples"
    if examples < LEAST_EXAMPLES:
        return Verdict.INCONCLUSIVE, f"{counted} cannot show {limit:.1%}; at least {LEAST_EXAMPLES} are needed"
    if kept.lower >= limit:
        reason = f"{keeps} {kept.observed:.1%}, at least {kept.lower:.1%}"
        return Verdict.PASS, reason + (f"; {_doubt(kept, counted, 4 * examples)}" if _few(scores) else "")
    reason = f"{keeps} between {kept.lower:.1%} and {kept.upper:.1%}, which does not decide {limit:.1%}"
    needed = examples_needed(scores, limit, ALPHA)
    if needed is not None:
        return Verdict.INCONCLUSIVE, f"{reason}; {counted} cannot show it, about {max(needed, LEAST_EXAMPLES)} like these would"
    return Verdict.INCONCLUSIVE, reason + (f"; {_doubt(kept, counted, 4 * examples)}" if examples < COMFORTABLE_EXAMPLES else "")


def _few(scores: PairedScores) -> bool:
    """Whether more would tell much; windows of text are of many tokens each, and few of them say much."""
    return scores.examples < COMFORTABLE_EXAMPLES and scores.kind != "log"


def _doubt(kept: Interval, counted: str, more: int) -> str:
    return f"{counted} leave {kept.observed - kept.lower:.1%} of doubt, {more} would about halve it"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
