"""No class that the baseline finds is shown to be lost, however few of the examples are of it."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor, isfinite
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.gates._base import GateConfig, Told, unmeasured
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.records.scores import KeptClass, PairedScores
from gatekeeper.stats.binary import p_below
from gatekeeper.stats.drift import holm
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import retention_interval, shows

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence

DESCRIPTION = "No class that the baseline finds is shown to keep less than this share of its right answers."
UNIT = "fraction"
BOUND: Literal["at_least"] = "at_least"
BASIS: Literal["scores"] = "scores"
limit_key = "retention"
OF_TENSORS = True
VETO = True
MOST_NAMED = 3
ROUNDING, DIGITS = 1e-6, 12

ENOUGH = 20
"""Examples of a class of which a model that finds one in seven finds none in 1 of 20 cases."""

Counts = tuple[int, int, int, int]
"""Right answers of both models, of the baseline alone and of the variant alone, and examples: many classes share theirs."""


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the worst_class gate."""

    retention: Annotated[float, Meta(gt=0, le=1, description="Least share of a class's right answers that must be kept.")] = 0.95


DEFAULT = Config()


def judge(config: Config, evidence: Evidence) -> Decision:
    """FAIL if a class is shown to be kept below the limit (Holm over classes); what is too rare to tell does not block."""
    comparison = evidence.comparison
    if comparison.error or comparison.classes is None:
        return unmeasured(comparison.error or "no classes were compared")
    found = [each for each in comparison.classes if each.both + each.only_baseline > 0]
    if comparison.alone and (never := _never(comparison.classes)):
        return Decision(verdict=Verdict.FAIL, reason=never)
    if not found and comparison.classes:
        said = f"the baseline finds nothing of any of the {len(comparison.classes)} classes and groups"
        return unmeasured(f"{said}, so that nothing of them can be kept. Check the model, and from which score on it is used")
    if not found:
        return Decision(verdict=Verdict.SKIP, applies=False, reason="the metric has no classes to look at one by one")
    lost = [each for each, shown in zip(found, _shown(found, config.retention), strict=True) if shown]
    worst = min(found, key=lambda each: (_value_of(each), -each.examples))
    kept = _bounds(worst)
    details = {
        "classes": {
            each.name: {
                "examples": each.examples,
                "right": each.both + each.only_baseline,
                "kept": round(_value_of(each), DIGITS),
                "gained": each.only_variant,
            }
            | ({"places": each.places, "together": each.together} if each.places else {})
            | ({"parts": each.parts} if each.parts != 1 else {})
            | ({"given": each.given} if each.given else {})
            for each in found
        }
    }
    if lost:
        named = ", ".join(_said(each) for each in sorted(lost, key=_value_of)[:MOST_NAMED])
        more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
        return _decision(Verdict.FAIL, f"{named}{more}, needs {config.retention:.1%}", kept, details)
    rare = [each for each in found if not _certain(_counts(each), config.retention)]
    reason = f"worst of {len(found)}: {_said(worst)}"
    if rare:
        reason += f"; {len(rare)} of them have few examples, and none is shown to be lost"
    if comparison.alone:
        said = f"there is no baseline whose classes could be kept; each that has {ENOUGH} examples is found"
        return _decision(Verdict.PASS, said, kept, details, "every common class is found")
    brief = f"no class is shown to be lost{f'; {len(rare)} of {len(found)} have few examples' if rare else ''}"
    return _decision(Verdict.PASS, reason, kept, details, brief)


def _never(classes: tuple[KeptClass, ...]) -> str:
    """Of a model without a baseline: the classes that it never finds, of those that have examples enough to tell."""
    plain = [each for each in classes if each.parts == 1 and not (each.part or each.slice)]
    lost = [each for each in plain if each.examples >= ENOUGH and not each.both]
    more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
    return ", ".join(f"{each.name}: none of {each.examples} examples is found" for each in lost[:MOST_NAMED]) + more


def nothing(told: Told) -> bool:
    """Whether no class was looked at, as far as the report shows."""
    basis = told.leg.basis
    if told.whole and basis is None:
        return False
    looked = basis is not None and bool(basis.classes + basis.groups + basis.parts) and told.variant.quality is not None
    return not told.gate.details.get("classes") and not looked


def again(config: Config, told: Told) -> Verdict | None:
    """A class that is too rare to tell does not block, so that bounds alone say nothing: the counts of every class do."""
    try:
        found = [_of(name, each) for name, each in told.gate.details["classes"].items()]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):  # another's report, or an earlier version's
        return Verdict.ERROR
    if not found or not all(map(_possible, found)):
        return Verdict.ERROR
    if not any(shown := _shown(found, config.retention)) and not _all_there(found, told):
        return Verdict.ERROR
    return Verdict.FAIL if any(shown) else Verdict.PASS


def share(told: Told) -> float:
    """Nothing is shown here that could be wrong of a variant that passes."""
    return 0.0


def _all_there(found: list[KeptClass], told: Told) -> bool:
    """Whether they are as many as the leg looked at, and the worst of them keeps what the gate says."""
    basis = told.leg.basis
    if basis is None and told.whole:
        return False
    if basis is not None and len(found) != basis.classes + basis.groups + basis.parts:
        return False
    worst = min(map(_value_of, found))
    return told.gate.observed is not None and abs(told.gate.observed - worst) <= ROUNDING


def _of(name: str, stated: dict[str, Any]) -> KeptClass:
    examples, right, gained = (int(stated[key]) for key in ("examples", "right", "gained"))
    both = round(right * float(stated["kept"])) - gained
    return KeptClass(
        name=name,
        examples=examples,
        both=both,
        only_baseline=right - both,
        only_variant=gained,
        places=int(stated.get("places", 0)),
        together=float(stated.get("together", 1.0)),
        parts=int(stated.get("parts", 1)),
    )


def _possible(each: KeptClass) -> bool:
    """Whether there can be such counts. As many places as the largest example has are worth one at most, and each has one."""
    counts = (each.both, each.only_baseline, each.only_variant)
    whole = max(each.places, each.examples)
    worth = 1 <= each.together <= max(whole - each.examples + 1, 1) if each.places else each.together == 1
    return min(counts) >= 0 and each.both + each.only_baseline > 0 and sum(counts) <= whole and worth


def _bounds(each: KeptClass) -> Interval:
    """What is kept of a class, and how sure that is; of one that is worth less than an example nothing is known."""
    value, found = _value_of(each), retention_interval(_paired(_counts(each)), ALPHA)
    lower, upper = (bound if isfinite(bound) else value for bound in (found.lower, found.upper))
    return Interval(observed=value, lower=min(lower, value), upper=max(upper, value))


def _decision(verdict: Verdict, reason: str, worst: Interval, details: dict[str, Any], brief: str = "") -> Decision:
    return Decision(
        verdict=verdict,
        reason=reason,
        brief=brief or reason,
        observed=worst.observed,
        lower=worst.lower,
        upper=worst.upper,
        details=details,
    )


def _shown(found: list[KeptClass], limit: float) -> list[bool]:
    """Which classes are shown to keep less: of one that keeps as much, none is."""
    return holm([1.0 if _value_of(each) >= limit else _below(_counts(each), limit) for each in found], ALPHA)


@lru_cache(maxsize=4096)
def _below(counts: Counts, limit: float) -> float:
    return p_below(*counts, limit)


@lru_cache(maxsize=4096)
def _certain(counts: Counts, limit: float) -> bool:
    """Whether a class with these counts is shown, by itself, to keep as much as the limit."""
    return shows(_paired(counts), limit, ALPHA)


def _counts(each: KeptClass) -> Counts:
    """Counts, each of as many as are worth one; what is lost never counts for more than it is."""
    if not each.places:
        return each.both, each.only_baseline, each.only_variant, each.examples
    right, lost, gained, whole = (
        count / each.together for count in (each.both + each.only_baseline, each.only_baseline, each.only_variant, each.places)
    )
    right, lost = floor(right + ROUNDING), floor(min(lost, right) + ROUNDING)
    gained = ceil(gained - ROUNDING)
    return right - lost, lost, gained, max(ceil(whole - ROUNDING), right + gained)


def _paired(counts: Counts) -> PairedScores:
    import numpy as np

    both, only_baseline, only_variant, examples = counts
    shares = [both, only_baseline, only_variant, examples - both - only_baseline - only_variant]
    p, q = np.repeat([1.0, 0.0, 1.0, 0.0], shares), np.repeat([1.0, 1.0, 0.0, 0.0], shares)
    return PairedScores("binary", p=p, q=q, examples=examples)


def _value_of(each: KeptClass) -> float:
    return (each.both + each.only_variant) / (each.both + each.only_baseline)


def _said(each: KeptClass) -> str:
    if each.given:
        least = "at least " if not each.both else ""  # of its own answers no more are counted than there are
        gone = f" and {each.only_variant} gone" if each.only_variant else ""
        return f"{each.name}: {each.given} in {each.examples} examples, {least}{each.only_baseline} wrong ones added{gone}"
    right, now = each.both + each.only_baseline, each.both + each.only_variant
    shown, of = (f"{count / each.parts:.1f}".removesuffix(".0") for count in (now, right))
    return f"{each.name}: {shown} of {of} right answers in {each.examples} examples"
