"""Which variants of a target are worth a look: no other beats them, beyond noise, in speed, memory, quality and energy. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from gatekeeper.ids import leg_of
from gatekeeper.records.base import Interval
from gatekeeper.records.measured import Performance, Quality, RoundData
from gatekeeper.records.report import LegReport, VariantReport
from gatekeeper.stats.rounds import mean_interval, ratio_interval

LOWER_IS_BETTER = frozenset({"mae", "rmse", "perplexity", "word_error_rate", "character_error_rate"})

ALPHA = 0.05
"""Of each bound of a point: two whose bounds do not overlap differ by more than noise."""

Point = Mapping[str, Interval]
"""Axis -> where a variant is on it; smaller is better on every axis. An axis that is not known is not there."""


def beats(one: Point, other: Point) -> bool:
    """Whether one is shown to be better than the other on an axis, and reads no worse on any. Never in a circle."""
    pairs = [(one[axis], other[axis]) for axis in one]
    return all(a.observed <= b.observed for a, b in pairs) and any(a.upper < b.lower for a, b in pairs)


def frontier(points: Sequence[Point]) -> list[bool]:
    """Of points with the same axes: whether no other beats it."""
    return [not any(beats(other, point) for other in points) for point in points]


def marked(variants: Sequence[VariantReport], legs: Sequence[LegReport], one_machine: bool) -> list[VariantReport]:
    """The variants with `pareto` set: None for those of which speed or quality is not known, or says nothing here.

    On one kind of machine absolute numbers are compared: median latency, peak memory, quality, energy where it was measured.
    Elsewhere it is each one's ratio to the baseline of its own leg. Memory and energy count where they are known of all.
    """
    points = placed(variants, legs, one_machine)
    best = dict(zip(points, frontier(list(points.values())), strict=True))
    return [msgspec.structs.replace(v, pareto=best.get(v.id)) for v in variants]


def placed(variants: Sequence[VariantReport], legs: Sequence[LegReport], one_machine: bool) -> dict[str, Point]:
    """Where each variant is, by its id, on the axes that are known of all; those that have no place are not there."""
    by_leg = {leg.id: leg for leg in legs}
    points = {v.id: point for v in variants if (point := _point(v, by_leg.get(leg_of(v.id)), one_machine))}
    known = set.intersection(*(set(point) for point in points.values())) if points else set()
    return {name: {axis: at for axis, at in point.items() if axis in known} for name, point in points.items()}


def _point(variant: VariantReport, leg: LegReport | None, absolute: bool) -> Point | None:
    """Where a variant is; None without speed or quality, or where its times say nothing."""
    point = axes_of(variant, leg, absolute)
    return point if {"speed", "accuracy"} <= point.keys() else None


def axes_of(variant: VariantReport, leg: LegReport | None, absolute: bool) -> dict[str, Interval]:
    """Every axis of a variant that is known: as it was read, or as a ratio to the baseline of its leg."""
    own = variant.performance
    if own is None or (leg and leg.untimed):
        return {}
    base = None if absolute else leg.baseline if leg else None
    if not absolute and (base is None or not base.p50_ns > 0):
        return {}
    point = {"speed": _span(own, base, lambda p: p.p50_ns, lambda r: r.median_ns)}
    lost = None
    if variant.quality is not None:
        lost = loss(variant.quality) if absolute else relative_loss(variant.quality, leg.quality if leg else None)
    if lost is not None:
        point |= {"accuracy": _spread(variant, lost)}
    point |= {"memory": _span(own, base, lambda p: p.peak_bytes, lambda r: r.peak_bytes)}
    if leg and leg.energy and leg.energy.kind == "measured":
        point |= {"energy": _span(own, base, lambda p: p.joules, lambda r: r.joules)}
    return {axis: at for axis, at in point.items() if math.isfinite(at.observed)}


def _span(
    own: Performance,
    base: Performance | None,
    whole: Callable[[Performance], float | None],
    of: Callable[[RoundData], float | None],
) -> Interval:
    """What was read of all rounds, between t-bounds on its logarithm over rounds; as a ratio where there is a baseline."""
    value = whole(own)
    if base is None:
        logs = [math.log(each) for r in own.rounds if (each := of(r)) and each > 0]
        bounds = mean_interval(logs, ALPHA)
        lower, upper = math.exp(bounds.lower), _exp(bounds.upper)
    else:
        beside = whole(base)
        value = value / beside if value is not None and beside and beside > 0 else None
        then = {r.round: of(r) for r in base.rounds}
        pairs = [(a, b) for r in own.rounds if (a := of(r)) and (b := then.get(r.round))]
        ratio = ratio_interval([a for a, _ in pairs], [b for _, b in pairs], ALPHA)
        lower, upper = ratio.lower, ratio.upper
    observed = math.nan if value is None else float(value)
    return Interval(observed=observed, lower=min(lower, observed), upper=max(upper, observed))


def _exp(value: float) -> float:
    return math.exp(value) if value < 709 else math.inf


def _spread(variant: VariantReport, value: float) -> Interval:
    """A quality between the bounds that its gate has; without them nothing is known of its noise."""
    gate = next((g for g in variant.gates if g.gate in ("accuracy", "agreement") and g.observed), None)
    if gate is None or gate.lower is None or gate.upper is None or not 0 < gate.lower <= (gate.observed or 0) <= gate.upper:
        return Interval(observed=value, lower=-math.inf, upper=math.inf)
    assert gate.observed
    ends = sorted(value * ratio for ratio in (gate.lower / gate.observed, gate.upper / gate.observed))
    if value > 0:  # of an error, what is kept is baseline / variant
        ends = sorted(value * ratio for ratio in (gate.observed / gate.upper, gate.observed / gate.lower))
    return Interval(observed=value, lower=min(ends[0], value), upper=max(ends[1], value))


def loss(quality: Quality) -> float | None:
    """The quality, turned so that smaller is better."""
    if quality.value is None or not math.isfinite(quality.value):
        return None
    return quality.value if quality.metric in LOWER_IS_BETTER else -quality.value


def relative_loss(variant: Quality, baseline: Quality | None) -> float | None:
    """The same as a multiple of the baseline's; None where that is zero, or not known."""
    lost, own = loss(variant), loss(baseline) if baseline else None
    return lost / abs(own) if lost is not None and own else None
