"""The variant answers at least `min` times as fast as the baseline (median latency, same machine, same rounds)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.gates._base import Columns, GateConfig, Glance, Ratio, unmeasured
from gatekeeper.gates._rounds import (
    alike,
    alikes,
    clock_error,
    clock_errors,
    clock_too_coarse,
    clocks_too_coarse,
    in_turns,
    unusable,
    would_decide,
)
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Control, RoundData
from gatekeeper.stats.looks import LOOKS
from gatekeeper.stats.many import ratio_bounds
from gatekeeper.stats.rounds import ratio_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatekeeper.records.evidence import Evidence
    from gatekeeper.stats.many import Array

DESCRIPTION = "The variant is at least this many times as fast as the baseline."
UNIT = "x"
BOUND: Literal["at_least"] = "at_least"
BASIS: Literal["rounds"] = "rounds"
GAIN = "`speedup: {min: 0.9}`"
limit_key = "min"


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the speedup gate."""

    min: Annotated[float, Meta(gt=0, le=1000, description="Least ratio baseline latency / variant latency.")] = 2.0


DEFAULT = Config()


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the lower bound of the ratio clears the limit, FAIL if the upper bound misses it.

    The bounds are those of two ratios at once, of medians and of means, which a user sees both. On a quiet machine they
    agree. Other load interrupts a slow inference more often than a fast one, so that on a busy machine the ratio of
    medians can be twice the true one; the means share out the interruptions by time. The value shown is the medians': the
    lesser of the two is no estimate of anything, and where one view is thrown off it is that one.

    The fastest tenths, which met the fewest interruptions, must not say the opposite. What is asked of them is their value and
    no bound: of few inferences they are the noisiest number there is, and no user waits for them. A report of an earlier version
    has medians over whole rounds, and bounds of all three.

    Where inputs differ in size the medians are those of a middling input, and the means those of all the work: a pass takes both,
    and either one fails. The fastest tenths are then of latencies brought to one size, else they would be the shortest inputs.
    """
    if few := unusable(evidence):
        return few
    if evidence.copy is None and len(evidence.control) != len(evidence.variant):
        return unmeasured("the A/A control was not measured")
    pairs = [*ratios(evidence.baseline, evidence.variant), *_tenths(evidence.baseline, evidence.variant)]
    if coarse := clock_too_coarse(*pairs[0]):
        return coarse
    errors = clock_error(evidence.baseline), clock_error(evidence.variant)
    alphas = [evidence.alpha, evidence.alpha, VALUE if in_turns(evidence.baseline, evidence.variant) else evidence.alpha]
    views = [ratio_interval(*pair, alpha, errors) for pair, alpha in zip(pairs, alphas, strict=True)]
    copies = [] if evidence.copy else _copies(evidence.baseline, evidence.control)
    controls = [evidence.copy] if evidence.copy else [ratio_interval(*pair, evidence.alpha) for pair in copies]
    if not all(math.isfinite(interval.observed) for interval in (*views, *controls)):
        return unmeasured("the latencies are not numbers")
    control = max(controls, key=control_bias)
    ratio = Interval(observed=views[0].observed, lower=min(v.lower for v in views), upper=max(v.upper for v in views))
    sizes = _sizes(evidence.baseline, evidence.variant)
    verdict, reason = _decide(config.min, ratio, control)
    if not reason and sizes:
        verdict, reason = _decide_sizes(config.min, views, control)
    details: dict[str, Any] = {
        "rounds": len(evidence.variant),
        "inputs": min(r.inputs for r in evidence.variant),
        "views": {name: [v.observed, v.lower, v.upper] for name, v in zip(VIEWS, views, strict=True)},
    }
    details |= {"sizes": sizes} if sizes else {}
    if reason:
        reason += _spread(sizes) if sizes else _disagreement(views, len(evidence.variant))
    else:
        reason, needs = _undecided(config.min, ratio, views, pairs, evidence, sizes)
        details |= needs
    return Decision(
        verdict=verdict, reason=reason, observed=ratio.observed, lower=ratio.lower, upper=ratio.upper, details=details,
        control=Control(observed=control.observed, lower=control.lower, upper=control.upper),
    )  # fmt: skip


def _decide(limit: float, ratio: Interval, control: Interval) -> tuple[Verdict, str]:
    """Verdict and reason; no reason where the ratio itself is undecided."""
    bias = control_bias(control)
    if ratio.lower >= limit:
        if ratio.lower >= limit * bias:
            return Verdict.PASS, f"{ratio.observed:.2f}x as fast, at least {ratio.lower:.2f}x"
        return Verdict.INCONCLUSIVE, too_noisy(control)
    if ratio.upper < limit:
        if ratio.upper < limit / bias:
            return Verdict.FAIL, f"{_speed(ratio)}, needs {limit:g}x"
        return Verdict.INCONCLUSIVE, too_noisy(control)
    return Verdict.INCONCLUSIVE, ""


def _decide_sizes(limit: float, views: list[Interval], control: Interval) -> tuple[Verdict, str]:
    """The same where inputs differ in size, and the ratio covers two things that may differ: all the work, a middling input."""
    medians, means, tenths = views
    work = Interval(observed=means.observed, lower=min(means.lower, tenths.lower), upper=max(means.upper, tenths.upper))
    for part, of in ((work, "over all inputs"), (medians, "on a middling input")):
        if part.upper < limit:
            verdict, reason = _decide(limit, part, control)
            return verdict, f"{reason} {of}" if verdict is Verdict.FAIL else reason
    return Verdict.INCONCLUSIVE, ""


def glance(limits: Array, alpha: float, baseline: Columns, variant: Columns, control: Columns) -> Glance:
    """The same of many variants at once."""
    import numpy as np

    errors = clock_errors(baseline), clock_errors(variant)
    turned, pairs = _turned(baseline, variant), _columns(baseline, variant)
    views = [ratio_bounds(*pair, alpha, errors) for pair in pairs]
    value = ratio_bounds(*pairs[2], VALUE, errors)
    views[2] = tuple(np.where(turned, own, bound) for own, bound in zip(value, views[2], strict=True))  # type: ignore[assignment]
    copies = [ratio_bounds(*pair, alpha) for pair in _columns(baseline, control)]
    lower, upper = np.min([low for low, _ in views], axis=0), np.max([high for _, high in views], axis=0)
    bias = np.max([np.where((low <= 1) & (high >= 1), 1.0, np.maximum(high, 1 / low)) for low, high in copies], axis=0)
    sure = np.isfinite(lower) & np.isfinite(upper) & np.isfinite(bias)
    sure &= ~clocks_too_coarse(*pairs[0])
    sized = alikes(baseline, variant)
    most = np.where(sized, np.minimum(views[0][1], np.maximum(views[1][1], views[2][1])), upper)
    return Glance(lower, upper, lower >= limits * bias, most < limits / bias, sure)


def _columns(one: Columns, other: Columns) -> list[tuple[Array, Array]]:
    """The pairs of `ratios`, of shape [n, rounds]."""
    import numpy as np

    sized = alikes(one, other)[:, None]
    turned = _turned(one, other)[:, None] & ~sized
    medians = tuple(np.where(turned, arm["turn_median_ns"], arm["median_ns"]) for arm in (one, other))
    fastest = tuple(np.where(sized, arm["alike_p10_ns"], arm["p10_ns"]) for arm in (one, other))
    return [medians, (one["mean_ns"], other["mean_ns"]), fastest]  # type: ignore[list-item]


def _turned(*arms: Columns) -> NDArray[np.bool_]:
    """`in_turns` of n variants, of shape [n]."""
    import numpy as np

    return np.logical_and.reduce([(arm["turn_median_ns"] > 0).all(axis=-1) for arm in arms])  # type: ignore[no-any-return]


VIEWS = {"medians": "turn_median_ns", "means": "mean_ns", "fastest tenths": "p10_ns"}
"""What is compared, and where a round keeps it; the first is shown."""
VALUE = 0.5
"""At this level a bound is the value itself, with what the clock may be off by."""


def ratios(baseline: list[RoundData], variant: list[RoundData]) -> list[Ratio]:
    """The pairs of `VIEWS` of which bounds must clear the limit, in order."""
    turned = in_turns(baseline, variant)
    pairs = _pairs(baseline, variant, [_median(turned, alike(baseline, variant)), "mean_ns"])
    return pairs if turned else [*pairs, *_fastest(baseline, variant)]


def _tenths(baseline: list[RoundData], variant: list[RoundData]) -> list[Ratio]:
    """The last of `VIEWS`, where only its value must."""
    return _fastest(baseline, variant) if in_turns(baseline, variant) else []


def _copies(baseline: list[RoundData], control: list[RoundData]) -> list[Ratio]:
    """All of `VIEWS` of the control."""
    return [*ratios(baseline, control), *_tenths(baseline, control)]


def _median(turned: bool, sized: bool) -> str:
    """Turns are of a few inputs each: where those differ in size, a middling one is only found over all of them."""
    return "turn_median_ns" if turned and not sized else "median_ns"


def _fastest(one: list[RoundData], other: list[RoundData]) -> list[Ratio]:
    """Where inputs differ in size, of latencies brought to one."""
    return _pairs(one, other, ["alike_p10_ns" if alike(one, other) else "p10_ns"])


def _pairs(one: list[RoundData], other: list[RoundData], names: list[str]) -> list[Ratio]:
    return [([getattr(r, name) for r in one], [getattr(r, name) for r in other]) for name in names]


def to_ratio(limit: float) -> float:
    """The limit is a ratio."""
    return limit


from_ratio = to_ratio


AGREEMENT = 1.1
"""Ratios of one variant that differ by more after a first look are driven apart by something else than the models."""


def _sizes(baseline: list[RoundData], variant: list[RoundData]) -> dict[str, float]:
    """How many times as fast the variant is on short and on long inputs, and how many times as long the baseline takes for the
    long ones; empty where all are alike.
    """
    if not (alike(baseline, variant) and all(r.short_ns and r.long_ns for arm in (baseline, variant) for r in arm)):
        return {}

    def ratio(one: list[RoundData], name: str, other: list[RoundData], of: str) -> float:
        return math.exp(sum(math.log(getattr(a, name) / getattr(b, of)) for a, b in zip(one, other, strict=True)) / len(one))

    return {
        "short": ratio(baseline, "short_ns", variant, "short_ns"),
        "long": ratio(baseline, "long_ns", variant, "long_ns"),
        "apart": ratio(baseline, "long_ns", baseline, "short_ns"),
    }


def _spread(sizes: dict[str, float]) -> str:
    """What the variant gains on inputs of each size, where that differs."""
    short, long = sizes["short"], sizes["long"]
    if max(short, long) <= AGREEMENT * min(short, long):
        return ""
    return f"; short inputs {_x(short)}, long ones ({sizes['apart']:.3g} times as long) {_x(long)}"


def _disagreement(views: list[Interval], rounds: int) -> str:
    """What other load has done to the ratios; empty where they agree, or too few rounds tell."""
    observed = [v.observed for v in views]
    if rounds < LOOKS[0] or max(observed) <= AGREEMENT * min(observed):
        return ""
    each = ", ".join(f"{name} {_x(value)}" for name, value in zip(VIEWS, observed, strict=True))
    return f"; this runner is busy: {each}, which agree on a quiet one"


def _x(ratio: float) -> str:
    """A ratio for people."""
    return f"{ratio:.2f}x" if ratio < 1000 else "over 1000x"


def _undecided(
    limit: float,
    ratio: Interval,
    views: list[Interval],
    pairs: list[Ratio],
    evidence: Evidence,
    sizes: dict[str, float],
) -> tuple[str, dict[str, Any]]:
    """What is known, and what would decide: words, and numbers for the report."""
    rounds = len(evidence.variant)
    said = f"between {_x(ratio.lower)} and {_x(ratio.upper)} after {rounds} rounds, which does not decide {limit:g}x"
    said += _spread(sizes) if sizes else _disagreement(views, rounds)
    undecided = [i for i, v in enumerate(views) if v.lower < limit <= v.upper] or range(len(views))
    widest = max(undecided, key=lambda i: math.log(views[i].upper / max(views[i].lower, 1e-300)))
    help_, needs = would_decide(*pairs[widest], limit, evidence)
    return f"{said}; {help_}", needs


def control_bias(control: Interval) -> float:
    """The factor by which this runner may mistake one model for another, 1.0 if it shows none.

    Two copies of the baseline must measure alike. When their interval excludes 1 the runner treats arms
    unequally; a verdict must then hold even if the whole difference were added to the variant.
    """
    if not math.isfinite(control.observed) or control.lower <= 1 <= control.upper:
        return 1.0
    return max(control.upper, 1 / control.lower)


def too_noisy(control: Interval) -> str:
    """Why a clear-looking ratio is not believed."""
    return (
        f"this runner is too noisy: two copies of the baseline differ by {control.lower:.2f}x to {control.upper:.2f}x; "
        "use a quieter runner or fewer `threads`"
    )


def _speed(ratio: Interval) -> str:
    if ratio.observed < 1:
        return f"{1 / ratio.observed:.2f}x slower than the baseline"
    return f"{ratio.observed:.2f}x as fast, at most {ratio.upper:.2f}x"
