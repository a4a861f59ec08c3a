"""Which variants of a target are worth a look: those that no other beats in speed, memory and quality at once. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from gatekeeper.ids import leg_of
from gatekeeper.records.measured import Performance, Quality
from gatekeeper.records.report import LegReport, VariantReport

LOWER_IS_BETTER = frozenset({"mae", "rmse", "perplexity"})

Point = tuple[float, ...]


def frontier(points: Sequence[Point]) -> list[bool]:
    """For points of which every coordinate is better when smaller: whether no other dominates it.

    One point dominates another if it is at least as good in every coordinate and better in one; equal points do not
    dominate each other.
    """
    kept: list[Point] = []
    for point in sorted(set(points)):  # a point that dominates comes before what it dominates
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in kept):
            kept.append(point)
    best = set(kept)
    return [point in best for point in points]


def marked(variants: Sequence[VariantReport], legs: Sequence[LegReport], one_machine: bool) -> list[VariantReport]:
    """The variants with `pareto` set: None for those of which speed or quality is not known, or says nothing here.

    On one kind of machine absolute numbers are compared: median latency, peak memory, quality. Elsewhere it is each
    one's ratio to the baseline of its own leg. Memory counts where it is known of all.
    """
    by_leg = {leg.id: leg for leg in legs}
    points: Mapping[str, Point] = {
        v.id: point for v in variants if (point := _point(v, by_leg.get(leg_of(v.id)), one_machine)) is not None
    }
    if any(math.isnan(point[-1]) for point in points.values()):
        points = {name: point[:-1] for name, point in points.items()}
    best = dict(zip(points, frontier(list(points.values())), strict=True))
    return [msgspec.structs.replace(v, pareto=best.get(v.id)) for v in variants]


def _point(variant: VariantReport, leg: LegReport | None, absolute: bool) -> Point | None:
    """Latency, quality and memory, smaller is better; memory is NaN where it is unknown."""
    if variant.performance is None or variant.quality is None or (leg and leg.untimed):
        return None
    if absolute:
        quality = _loss(variant.quality)
        return None if quality is None else (variant.performance.p50_ns, quality, _memory(variant.performance))
    if leg is None or leg.baseline is None or leg.quality is None or not leg.baseline.p50_ns > 0:
        return None
    quality = _relative_loss(variant.quality, leg.quality)
    own = _memory(leg.baseline)
    memory = _memory(variant.performance) / own if own > 0 else math.nan
    return None if quality is None else (variant.performance.p50_ns / leg.baseline.p50_ns, quality, memory)


def _memory(performance: Performance) -> float:
    return math.nan if performance.peak_bytes is None else performance.peak_bytes


def _loss(quality: Quality) -> float | None:
    """The quality, turned so that smaller is better."""
    if quality.value is None or not math.isfinite(quality.value):
        return None
    return quality.value if quality.metric in LOWER_IS_BETTER else -quality.value


def _relative_loss(variant: Quality, baseline: Quality) -> float | None:
    """The same as a multiple of the baseline's; None where that is zero or has another sign than a kept quality has."""
    loss, own = _loss(variant), _loss(baseline)
    return loss / abs(own) if loss is not None and own else None
