"""Gates on rounds of thousands of variants, confirmed at once: what is not, is judged one by one. Pure.

A thousand legs are four thousand variants, and judging each gate of each alone takes longer than all the rest of a merge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from gatekeeper.gates._base import Columns, Glance, gate
from gatekeeper.ids import leg_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import RoundData
from gatekeeper.records.report import LegReport, Report, VariantReport
from gatekeeper.verdicts.regate import AGREE, leg_alpha
from gatekeeper.verdicts.rules import Rules
from gatekeeper.verdicts.sound import owner_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORTH = 40
"""Variants from which it is quicker to import numpy than to do without."""
COLUMNS = (
    "median_ns", "turn_median_ns", "mean_ns", "p10_ns", "p95_ns", "tick_ns", "count", "peak_bytes", "alike_p10_ns",
    "alike_median_ns", "alike_p95_ns",
)  # fmt: skip
_values = attrgetter(*COLUMNS)


@dataclass
class _Group:
    """Variants with as many rounds each, judged at one level; `leg` is the row of a variant's baseline and control."""

    baseline: list[Sequence[RoundData]] = field(default_factory=list)
    control: list[Sequence[RoundData]] = field(default_factory=list)
    variant: list[Sequence[RoundData]] = field(default_factory=list)
    leg: list[int] = field(default_factory=list)
    gates: list[Sequence[GateResult]] = field(default_factory=list)


def confirmed(reports: Sequence[Report], rules: Rules) -> frozenset[int]:
    """`id` of every gate's result whose bounds are those of its rounds, and whose verdict follows by the limit it states."""
    groups: dict[tuple[int, float], _Group] = defaultdict(_Group)
    for report in reports:
        for target in report.targets:
            for leg in target.legs:
                _add(leg, [v for v in target.variants if leg_of(v.id) == leg.id], rules.max_rounds(leg.max_rounds), groups)
    if sum(len(group.gates) for group in groups.values()) < WORTH:
        return frozenset()
    return frozenset(chain.from_iterable(_confirmed(group, alpha) for (_, alpha), group in groups.items()))


def _add(leg: LegReport, variants: Sequence[VariantReport], max_rounds: int, groups: dict[tuple[int, float], _Group]) -> None:
    """The variants of a leg that were measured in the same rounds as its baseline and its control, from the first on."""
    if leg.baseline is None or leg.untimed or not leg.control_rounds:
        return
    baseline, control = leg.baseline.rounds, leg.control_rounds
    numbers = [each.round for each in baseline]
    if [each.round for each in control] != numbers:
        return
    rows: dict[int, int] = {}
    for variant in variants:
        own = variant.performance.rounds if variant.performance else []
        count = len(own)
        if count < 2 or [each.round for each in own] != numbers[:count]:
            continue
        group = groups[count, leg_alpha(leg, count, max_rounds)]
        if count not in rows:
            rows[count] = len(group.baseline)
            group.baseline.append(baseline[:count])
            group.control.append(control[:count])
        group.leg.append(rows[count])
        group.variant.append(own)
        group.gates.append(variant.gates)


def _confirmed(group: _Group, alpha: float) -> Iterator[int]:
    variant = _columns(group.variant)
    baseline, control = ({name: own[group.leg] for name, own in _columns(arm).items()} for arm in (group.baseline, group.control))
    results: dict[str, list[tuple[int, GateResult]]] = defaultdict(list)
    for index, gates in enumerate(group.gates):
        for each in gates:
            if each.limit is not None and each.lower is not None and each.upper is not None:
                results[each.gate].append((index, each))
    for name, own in results.items():
        glance = getattr(gate(name), "glance", None) if owner_of(name) == name else None
        if glance is not None:
            rows, found = zip(*own, strict=True)
            yield from _agreeing(glance, list(rows), found, alpha, baseline, variant, control)


def _agreeing(
    glance: Callable[..., Glance], rows: list[int], gates: Sequence[GateResult], alpha: float, *arms: Columns
) -> Iterator[int]:
    import numpy as np

    limits, lower, upper = (np.array([getattr(each, name) for each in gates]) for name in ("limit", "lower", "upper"))
    with np.errstate(all="ignore"):
        found = glance(limits, alpha, *({key: column[rows] for key, column in each.items()} for each in arms))
        fits = found.sure & _near(found.lower, lower) & _near(found.upper, upper)
    verdicts = np.where(found.passes, Verdict.PASS, np.where(found.fails, Verdict.FAIL, Verdict.INCONCLUSIVE))
    for each, fit, verdict in zip(gates, fits.tolist(), verdicts.tolist(), strict=True):
        if fit and each.verdict == verdict:
            yield id(each)


def _near(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    import numpy as np

    return np.abs(one - other) <= AGREE * np.maximum(np.maximum(np.abs(one), np.abs(other)), AGREE)


def _columns(arms: Sequence[Sequence[RoundData]]) -> Columns:
    """[arms, rounds] of each column; what is None becomes NaN."""
    import numpy as np

    values = np.array([value for rounds in arms for each in rounds for value in _values(each)], dtype=float)
    shaped = values.reshape(len(arms), -1, len(COLUMNS))
    return {name: shaped[:, :, index] for index, name in enumerate(COLUMNS)}
