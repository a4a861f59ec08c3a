"""The variant is about as sure as it is right: its expected calibration error grows by little."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gatekeeper.gates._base import GateConfig, Told, unmeasured
from gatekeeper.gates.accuracy import LEAST_EXAMPLES, SUREST
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.records.scores import Calibrated
from gatekeeper.registry import Registry
from gatekeeper.stats.calibration import MOST_BINS, at_most, error, growth, possible
from gatekeeper.stats.closed import least_share
from gatekeeper.stats.looks import ALPHA

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment
    from gatekeeper.records.evidence import Evidence

DESCRIPTION = "The expected calibration error grows by at most so much from the baseline to the variant."
UNIT = "fraction"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["scores"] = "scores"
limit_key = "grow_by"
OF_TENSORS = True
TASKS = Registry("evaluate.tasks")
ROUNDING = 1e-6


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the calibration_error gate."""

    grow_by: Annotated[
        float, Meta(ge=0, le=1, description="Most by which the expected calibration error may grow, 0.02 being two points.")
    ] = 0.02
    bins: Annotated[int, Meta(ge=2, le=MOST_BINS, description="Bins of equal width, from not sure at all to certain.")] = 15


DEFAULT = None


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the upper bound of the growth is at most the limit; the evaluation set is looked at once."""
    comparison = evidence.comparison
    if comparison.error or (comparison.calibrated is None and not comparison.collapsed):
        return unmeasured(comparison.error or "how sure the models are was not measured")
    if comparison.calibrated is None:
        return Decision(verdict=Verdict.FAIL, reason=comparison.collapsed)
    found = comparison.calibrated
    if comparison.alone:
        return unmeasured("there is no baseline, beside which an error could grow")
    if found.problem:
        return unmeasured(found.problem)
    if not possible(found):
        return unmeasured("the confidences hold values that are none")
    grown = growth(found, ALPHA)
    before, after = (error(arm, found.examples) for arm in (found.baseline, found.variant))
    verdict, reason = _decide(config.grow_by, grown, found.examples)
    details: dict[str, Any] = {
        "bins": found.bins,
        "examples": found.examples,
        "baseline": before,
        "variant": after,
        "calibration": {key: msgspec.to_builtins(getattr(found, key)) for key in ("baseline", "variant", "together")},
    }
    return Decision(
        verdict=verdict,
        reason=f"{reason} ({before:.1%} -> {after:.1%} in {found.bins} bins)",
        brief=reason,
        observed=grown.observed,
        lower=grown.lower,
        upper=grown.upper,
        details=details,
    )


def unsuited(config: Config, model: Assessment, task: str | None) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Tasks that do not answer with one class an example."""
    if task is not None and task in TASKS.names and TASKS.get(task).ANSWERS != "class":
        fitting = ", ".join(name for name in TASKS.names if TASKS.get(name).ANSWERS == "class")
        yield (), f"calibration_error needs one class an example with scores of classes ({fitting}), not {task}. Remove it."


def again(config: Config, told: Told) -> Verdict | None:
    """The growth is worked out anew from the bins, which must be of as many examples as were judged, and as often right.

    Of both models: bins of the baseline that were made up would take away what the variant adds.
    """
    details, quality, basis = told.gate.details, told.variant.quality, told.leg.basis
    found = _of(details)
    if found.bins != config.bins or quality is None or quality.examples != found.examples or not possible(found):
        return Verdict.ERROR
    for arm, own in ((found.variant, quality), (found.baseline, told.leg.quality)):
        if quality.metric != "accuracy" or (basis is not None and basis.copies):
            continue  # of copies how sure a model is counts once, and its accuracy does not
        if own is None or own.value is None or abs(sum(row[1] for row in arm) / found.examples - own.value) > ROUNDING:
            return Verdict.ERROR
    grown = _growth(msgspec.json.encode(found))
    pairs = [(getattr(told.gate, key), getattr(grown, key)) for key in ("observed", "lower", "upper")]
    pairs += [
        (details["baseline"], error(found.baseline, found.examples)),
        (details["variant"], error(found.variant, found.examples)),
    ]
    if any(stated is None or abs(stated - own) > ROUNDING for stated, own in pairs):
        return Verdict.ERROR
    return _decide(config.grow_by, grown, found.examples)[0]


@lru_cache(maxsize=4096)
def _growth(bins: bytes) -> Interval:
    """Of bins as JSON, which can be looked up. Kept: a model answers alike on all the targets of a matrix."""
    return growth(msgspec.json.decode(bins, type=Calibrated), ALPHA)


def share(told: Told) -> float:
    """From the bins themselves."""
    found, limit = _of(told.gate.details), told.gate.limit
    if limit is None:
        return 1.0
    return least_share(lambda part: at_most(found, limit, part * ALPHA), SUREST)


def _of(details: dict[str, Any]) -> Calibrated:
    stated = details["calibration"]
    return msgspec.convert({**stated, "bins": details["bins"], "examples": details["examples"]}, Calibrated)


def _decide(limit: float, grown: Interval, examples: int) -> tuple[Verdict, str]:
    seen = f"calibration error {'grows' if grown.observed >= 0 else 'shrinks'} by {abs(grown.observed):.1%}"
    if grown.lower > limit:
        return Verdict.FAIL, f"{seen}, by at least {grown.lower:.1%}, allowed {limit:.1%}"
    if examples < LEAST_EXAMPLES:
        return Verdict.ERROR, f"{examples} examples cannot show {limit:.1%}; at least {LEAST_EXAMPLES} are needed"
    if grown.upper <= limit:
        return Verdict.PASS, f"{seen}, grows by at most {grown.upper:.1%}"
    between = f"{seen}, which may be from {grown.lower:.1%} to {grown.upper:.1%} and does not decide {limit:.1%}"
    return Verdict.INCONCLUSIVE, f"{between}; {examples} examples cannot show it, {4 * examples} would about halve the doubt"
