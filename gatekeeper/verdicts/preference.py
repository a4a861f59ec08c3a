"""Which of the variants that pass is chosen: by speed, or by what the pipeline file prefers. Pure.

A preference weighs the logarithms of ratios to the baseline, which have no unit: twice as fast and half the memory weigh alike,
and another unit changes no choice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property

from gatekeeper.ids import leg_of
from gatekeeper.records.base import Interval
from gatekeeper.records.report import LegReport, VariantReport
from gatekeeper.records.wish import PRESETS, Wish
from gatekeeper.units import format_number
from gatekeeper.verdicts.across import timed_variants
from gatekeeper.verdicts.judge import best_first
from gatekeeper.verdicts.pareto import axes_of, relative_loss

_DIGITS = 9  # of a score: what differs by less than rounding does is equal


class Preference:
    """Variants of a target that pass, or may come to, in the order in which one would be chosen, and why."""

    def __init__(self, variants: Sequence[VariantReport], legs: Sequence[LegReport], wish: Wish, one_machine: bool):
        self.wish, self.alike = wish, one_machine
        self._by_leg = {leg.id: leg for leg in legs}
        self._timed = best_first(timed_variants(legs, variants), one_machine)
        self._timed_ids = {v.id for v in self._timed}
        self._rest = best_first((v for v in variants if v.id not in self._timed_ids), False)
        self._axes: dict[str, dict[str, Interval]] = {}

    @cached_property
    def ordered(self) -> list[VariantReport]:
        """All of them, the first to be chosen. Those whose times say nothing come last."""
        if self._by_weights:
            first = sorted(self._timed, key=lambda v: -self.score(v))  # stable: of equal ones the faster is first
        elif self.wish.select in ("memory", "accuracy"):
            first = self._least(self.wish.select)
        else:
            first = self._timed
        return [*first, *self._rest]

    @cached_property
    def _asked(self) -> dict[str, float]:
        """What a weighed choice weighs."""
        weights = self.wish.weights if self.wish.select == "preferences" else PRESETS[self.wish.select]
        return {axis: weight for axis, weight in weights.items() if weight > 0}

    @cached_property
    def _by_weights(self) -> dict[str, float]:
        """The same, of what is known of all; empty where one axis alone decides, or nothing that is asked for is known."""
        if self.wish.select not in ("preferences", "balanced") or not self._timed:
            return {}
        return {axis: weight for axis, weight in self._asked.items() if axis not in self.unknown}

    @cached_property
    def unknown(self) -> list[str]:
        """What is asked for and was not measured of every variant that passes."""
        return [axis for axis in self._asked if not all(axis in self.gains(v) for v in self._timed)]

    def score(self, variant: VariantReport) -> float:
        """Sum of weight x ln(how many times better than the baseline)."""
        gains = self.gains(variant)
        return round(sum(weight * math.log(gains[axis]) for axis, weight in self._by_weights.items()), _DIGITS)

    def gains(self, variant: VariantReport) -> dict[str, float]:
        """Axis -> how many times better than the baseline: 2 is twice as fast, or half the memory.

        On one kind of machine all are held to one baseline, the fastest; elsewhere each to its own.
        """
        leg = self._common if self.alike else self._by_leg.get(leg_of(variant.id))
        own = variant.performance
        if leg is None or leg.baseline is None or own is None:
            return {}
        base = leg.baseline
        pairs = {"speed": (base.p50_ns, own.p50_ns), "memory": (base.peak_bytes, own.peak_bytes)}
        at = self._by_leg.get(leg_of(variant.id))
        if all(each and each.energy and each.energy.kind == "measured" for each in (leg, at)):
            pairs["energy"] = (base.joules, own.joules)
        found = {axis: a / b for axis, (a, b) in pairs.items() if a is not None and b is not None and a > 0 and b > 0}
        lost = relative_loss(variant.quality, leg.quality) if variant.quality else None
        if lost and leg.quality and lost * _sign(leg) > 0:
            found["accuracy"] = 1 / lost if lost > 0 else -lost
        return {axis: gain for axis, gain in found.items() if 0 < gain < math.inf}

    @cached_property
    def _common(self) -> LegReport | None:
        known = [leg for leg in self._by_leg.values() if leg.baseline and leg.baseline.p50_ns > 0 and not leg.untimed]
        return min(known, key=lambda leg: (leg.baseline.p50_ns if leg.baseline else math.inf, leg.id), default=None)

    def _least(self, axis: str) -> list[VariantReport]:
        """Those that are not shown to be worse than the best on an axis, the fastest first; then the others, by what was read."""
        if axis in self._unplaced:
            return self._timed
        level = [v for v in self._timed if self._level(v, axis)]
        behind = [v for v in self._timed if not self._level(v, axis)]
        return [*level, *sorted(behind, key=lambda v: self._at(v, axis).observed)]

    def _level(self, variant: VariantReport, axis: str) -> bool:
        """Whether it is not shown to be worse than the best on an axis."""
        best = min((self._at(v, axis) for v in self._timed), key=lambda at: at.observed)
        return self._at(variant, axis).lower <= best.upper

    def _on(self, variant: VariantReport, axis: str) -> Interval | None:
        if variant.id not in self._axes:
            self._axes[variant.id] = axes_of(variant, self._by_leg.get(leg_of(variant.id)), self.alike)
        return self._axes[variant.id].get(axis)

    def _at(self, variant: VariantReport, axis: str) -> Interval:
        return self._on(variant, axis) or Interval(observed=math.inf, lower=-math.inf, upper=math.inf)

    def because(self, chosen: VariantReport) -> str:
        """Why it is chosen, in words. What comes before it in the order passes only if looked at alone."""
        place = next((i for i, v in enumerate(self.ordered) if v.id == chosen.id), len(self.ordered) - 1)
        following = self.ordered[place + 1] if place + 1 < len(self.ordered) else None
        who = "those that are shown to pass" if place else f"the {len(self.ordered)} that pass"
        if len(self.ordered) == 1:
            return "it is the only one that passes"
        if chosen.id not in self._timed_ids:
            return "its times say nothing here, and none is shown to pass whose times do"
        if self._by_weights:
            return f"{self._weighed(chosen, following, who)}{self._uncounted}"
        axis = self.wish.select
        if axis in ("memory", "accuracy") and axis not in self._unplaced:
            level = sum(self._level(v, axis) for v in self._timed)
            said = f"`select: {axis}`: of {who} none is shown to be better in {axis}"
            return f"{said}, and of the {level} that are level within noise it is the fastest" if level > 1 else said
        return f"{self._fastest(chosen, following, who)}{self._uncounted}"

    def _fastest(self, chosen: VariantReport, following: VariantReport | None, who: str) -> str:
        if not any(v.performance for v in self._timed):
            return f"nothing was timed, and it has the smallest file of {who}"
        said = f"it is the fastest of {who}"
        if following is None or following.id not in self._timed_ids:
            return said
        if not self.alike or chosen.performance is None or following.performance is None:
            return f"{said}, by the least that its speedup can be on its own machine"
        times = following.performance.p50_ns / chosen.performance.p50_ns if chosen.performance.p50_ns > 0 else math.nan
        apart = self._at(chosen, "speed").upper < self._at(following, "speed").lower
        noise = "beyond noise" if apart else "which is within noise"
        return f"{said}: {_name(following)} takes {format_number(times)} times as long, {noise}"

    def _weighed(self, chosen: VariantReport, following: VariantReport | None, who: str) -> str:
        weights = ", ".join(f"{axis} {weight:g}" for axis, weight in self._by_weights.items())
        gains = self.gains(chosen)
        kept = ", ".join(_of_baseline(axis, gains[axis]) for axis in self._by_weights)
        said = f"weighed by {weights} it is the best of {who}: {kept} of the baseline come to {self.score(chosen):.2f}"
        known = following is not None and following.id in self._timed_ids
        return f"{said}, {_name(following)} to {self.score(following):.2f}" if following and known else said

    @property
    def _unplaced(self) -> list[str]:
        """The one axis that decides, where it is not known of all."""
        axis = self.wish.select
        return [] if all(self._on(v, axis) for v in self._timed) and self._timed else [axis]

    @property
    def _uncounted(self) -> str:
        if self.wish.select == "speed":
            return ""
        missing = self._unplaced if self.wish.select in ("memory", "accuracy") else self.unknown
        return f". Not measured of all that pass, and so not counted: {', '.join(missing)}" if missing else ""


def in_order(variants: Iterable[VariantReport], leg: LegReport, wish: Wish) -> list[VariantReport]:
    """Variants of one leg in the order in which one would be chosen."""
    return Preference(list(variants), [leg], wish, one_machine=True).ordered


def _sign(leg: LegReport) -> float:
    """Of a loss that is kept: an error is above zero, the negative of a quality below."""
    lost = relative_loss(leg.quality, leg.quality) if leg.quality else None
    return lost or 0.0


def _of_baseline(axis: str, gain: float) -> str:
    """What is left of a baseline, or gained over it."""
    if axis == "speed":
        return f"{format_number(gain)} times the speed"
    return f"{100 * (gain if axis == 'accuracy' else 1 / gain):.1f} % of the {axis}"


def _name(variant: VariantReport | None) -> str:
    return f"{variant.framework}/{variant.technique}" if variant else ""
