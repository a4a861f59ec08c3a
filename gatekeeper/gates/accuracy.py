"""The variant keeps at least `retention` of the baseline's accuracy on the evaluation set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.gates import _collapse
from gatekeeper.gates._base import GateConfig, Told, unmeasured
from gatekeeper.gates._counted import agree, right_or_wrong
from gatekeeper.ids import without_set
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.binary import right_and_wrong, share_of_counts
from gatekeeper.stats.closed import least_of_bound, least_share, share_of_bound
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import examples_needed, retention_interval, shows

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.scores import PairedScores

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

SUREST = 0.002
"""The least share of its level that is asked for: what one of some five hundred variants must be shown at."""

ROUNDING, NEARLY = 1e-9, 1e-3
"""How far what is kept, and the level of the bound, may be from what counts say of them."""


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the accuracy gate."""

    retention: Annotated[float, Meta(gt=0, le=1, description="Least fraction of the baseline's accuracy that must be kept.")] = (
        0.95
    )
    min: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        Meta(description="Least accuracy of the variant itself, whatever the baseline's is: the gate `least_accuracy`."),
    ] = None


DEFAULT = Config()

TOO_GOOD = 2.0
"""A metric of the user's own that a variant doubles counts errors: no optimization makes a model twice as good."""


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
    if scores.kind not in ("classes", "pooled") and (counts := right_and_wrong(scores.p, scores.q)):
        details["counts"] = list(counts)
    details |= (
        comparison.details
        | {"answers": _collapse.stated(comparison.signs)}
        | ({"collapsed": True} if comparison.collapsed else {})
    )
    if not math.isfinite(kept.observed):
        return unmeasured(f"{comparison.metric} of the baseline is {comparison.baseline}, of which nothing can be kept")
    if not comparison.agreement and ":" in comparison.metric and kept.observed > TOO_GOOD:
        said = f"keeps {kept.observed:.1%} of {comparison.metric}, so that is an error: higher must be better. Return 1 - error"
        return unmeasured(said)
    verdict, reason = (
        (Verdict.FAIL, comparison.collapsed)
        if comparison.collapsed
        else _decide(config.retention, kept, scores, "agrees with the original on" if comparison.agreement else "keeps")
    )
    if verdict is Verdict.PASS and "counts" not in details:
        sure = least_share(lambda part: shows(scores, config.retention, part * ALPHA), SUREST)
        details["share"] = {"limit": config.retention, "needed": sure}
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
    """A collapse is a failure, and nothing else is decided by fewer examples than can show it, whatever their bounds.

    Whether there is one is read from the numbers that show it; a report that tells whole holds every one of them.
    """
    shown = _collapse.again(told.gate.details, labels=_labels(told)) if told.whole or "answers" in told.gate.details else None
    if told.gate.details.get("collapsed") or shown is Verdict.FAIL:
        return Verdict.FAIL
    quality = told.variant.quality
    stated = (told.gate.details.get("examples"), quality.examples if quality else None)
    counts = [count for count in stated if isinstance(count, int)]
    if not counts:
        return Verdict.ERROR
    missed = told.gate.upper is not None and told.gate.upper < config.retention
    if not missed and told.whole and right_or_wrong(told.gate.details.get("metric")):
        each = told.gate
        if not agree(each.details, {"observed": each.observed, "lower": each.lower, "upper": each.upper}):
            return Verdict.ERROR
    few = min(counts) < LEAST_EXAMPLES
    return None if missed else Verdict.ERROR if few and shown is None else shown


def _labels(told: Told) -> bool:
    """Whether answers were held against labels, by anything in the report that says so."""
    quality, basis = told.variant.quality, told.leg.basis
    metrics = (told.gate.details.get("metric"), quality and quality.metric, basis and basis.metric, without_set(told.gate.gate))
    return any(metric not in (None, "", "agreement") for metric in metrics)


def share(told: Told) -> float:
    """Of answers that are right or wrong the counts say it, of others the leg, where the bounds allow it; else the bounds."""
    each = told.gate
    if each.observed is None or each.lower is None or each.limit is None:
        return 1.0
    bounds = each.observed, each.lower, each.limit, ALPHA
    try:
        if counts := each.details.get("counts"):
            both, lost, gained = (int(count) for count in counts)
            examples = int(each.details["examples"])
            kept = (both + gained) / (both + lost)
            level = share_of_counts(both, lost, gained, examples, each.lower, ALPHA)
            if abs(kept - each.observed) <= ROUNDING and abs(level - 1) <= NEARLY:
                return share_of_counts(both, lost, gained, examples, each.limit, ALPHA)
        stated = each.details.get("share")
        if stated and float(stated["limit"]) == each.limit:
            return max(float(stated["needed"]), least_of_bound(*bounds))
    except (TypeError, ValueError, KeyError, ArithmeticError):  # another's report
        pass
    return share_of_bound(*bounds)


def _decide(limit: float, kept: Interval, scores: PairedScores, keeps: str) -> tuple[Verdict, str]:
    examples = scores.examples
    if kept.upper < limit:
        return Verdict.FAIL, f"{keeps} {kept.observed:.1%}, at most {kept.upper:.1%}, needs {limit:.1%}"
    counted = f"{examples} {'distinct ' if scores.copies else ''}examples"
    if examples < LEAST_EXAMPLES:
        return Verdict.ERROR, f"{counted} cannot show {limit:.1%}; at least {LEAST_EXAMPLES} are needed"
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
