"""A chart of speed against accuracy, the size of a point being the memory it needs; GitHub draws mermaid.

Every number is a gate's own: a ratio to the baseline of the same leg, so that variants of differing machines may share a
chart. The lines between the quadrants are the limits. No string of a report enters the chart: points are letters.
"""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from dataclasses import dataclass

from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, VariantReport
from gatekeeper.reports._markdown_text import fence

MOST_POINTS = 12

_SIZE = '%%{init: {"quadrantChart": {"chartWidth": 600, "chartHeight": 420, "pointTextPadding": 13}}}%%'
_RADIUS = (4, 10)


@dataclass(frozen=True)
class Point:
    """One variant: times as fast, share of the accuracy that is kept, share of the memory that it needs."""

    id: str
    speed: float
    kept: float
    memory: float | None


def points(report: Report) -> list[Point]:
    """What can be drawn, the frontier before the others; empty with fewer than two."""
    variants = sorted((v for t in report.targets for v in t.variants), key=lambda v: not v.pareto)
    drawable = [point for v in variants if (point := _point(v))]
    return drawable[:MOST_POINTS] if len(drawable) > 1 else []


def letters(drawn: Sequence[Point]) -> dict[str, str]:
    """The letter of each variant in the chart."""
    return {point.id: letter for point, letter in zip(drawn, string.ascii_lowercase, strict=False)}


def chart(report: Report, drawn: Sequence[Point]) -> str:
    """A quadrant chart with a line that says how to read it; empty without points."""
    if not drawn:
        return ""
    fast = _limit(report, drawn, "speedup", "at_least")
    kept = _limit(report, drawn, "accuracy", "at_least") or _limit(report, drawn, "agreement", "at_least")
    speeds, shares = [p.speed for p in drawn], [p.kept for p in drawn]
    middle_speed, middle_kept = fast or 1.0, kept or 1.0
    slow_end, fast_end = _ends(speeds, middle_speed)
    low_end, high_end = _ends(shares, middle_kept)
    named = letters(drawn)
    lines = [
        _SIZE,
        "quadrantChart",
        f'    x-axis "{slow_end:.2f}x" --> "{fast_end:.2f}x as fast"',
        f'    y-axis "{low_end:.1%}" --> "keeps {high_end:.1%}"',
        f'    quadrant-1 "{_named(fast, "fast", "faster")} and {_named(kept, "accurate", "more accurate")}"',
        f'    quadrant-2 "{_named(kept, "accurate", "more accurate")}, {_named(fast, "too slow", "slower")}"',
        f'    quadrant-3 "{_named(fast, "too slow", "slower")}, {_named(kept, "inaccurate", "less accurate")}"',
        f'    quadrant-4 "{_named(fast, "fast", "faster")}, {_named(kept, "inaccurate", "less accurate")}"',
    ]
    for p in drawn:
        x, y = _place(p.speed, slow_end, middle_speed, fast_end), _place(p.kept, low_end, middle_kept, high_end)
        lines.append(f'    "{named[p.id]}": [{x:.3f}, {y:.3f}] radius: {_radius(p, drawn)}')
    say = f"Speed against accuracy, each of its own baseline; the lines are {_line(fast, 'x', 1)} and {_line(kept, '%', 100)}. "
    if any(p.memory is not None for p in drawn):
        say += "A larger point needs more memory. "
    return f"{say}Letters stand in the table above.\n\n{fence(chr(10).join(lines), 'mermaid')}"


def _point(variant: VariantReport) -> Point | None:
    by_name = {g.gate: g for g in variant.gates}
    speed, kept = _observed(by_name.get("speedup")), _observed(by_name.get("accuracy") or by_name.get("agreement"))
    if speed is None or kept is None or not 0 < speed < 1e6 or not -10 < kept < 100:
        return None
    reduction = _observed(by_name.get("memory"))
    return Point(variant.id, speed, kept, None if reduction is None else 1 - reduction)


def _observed(gate: GateResult | None) -> float | None:
    return gate.observed if gate and gate.observed is not None and math.isfinite(gate.observed) else None


def _limit(report: Report, drawn: Sequence[Point], name: str, bound: str) -> float | None:
    """The limit of a gate where all the points share it."""
    ids = {p.id for p in drawn}
    gates = [g for t in report.targets for v in t.variants if v.id in ids for g in v.gates if g.gate == name]
    limits = {g.limit for g in gates if g.bound == bound}
    (limit,) = limits if len(limits) == 1 and len(gates) == len(ids) else (None,)
    return limit if limit is not None and math.isfinite(limit) and 0 < limit < 1e6 else None


def _ends(values: Sequence[float], middle: float) -> tuple[float, float]:
    """Both ends of an axis: a little more than the points and the middle need."""
    low, high = min(*values, middle), max(*values, middle)
    spare = 0.1 * (high - low) or 0.1 * middle
    return max(low - spare, 0.0), high + spare


def _place(value: float, low: float, middle: float, high: float) -> float:
    """0 to 1, with the middle at 0.5: each half of the axis has its own scale."""
    half = (value - low) / (middle - low) / 2 if value < middle else 0.5 + (value - middle) / (high - middle) / 2
    return min(max(half, 0.0), 1.0)


def _radius(point: Point, drawn: Sequence[Point]) -> int:
    """By the root of the memory, so that areas compare."""
    known = [max(p.memory, 0.0) for p in drawn if p.memory is not None]
    if point.memory is None or not known or max(known) <= 0:
        return 6
    share = math.sqrt(max(point.memory, 0.0) / max(known))
    return round(_RADIUS[0] + (_RADIUS[1] - _RADIUS[0]) * share)


def _named(limit: float | None, with_limit: str, without: str) -> str:
    return with_limit if limit is not None else without


def _line(limit: float | None, unit: str, scale: float) -> str:
    return f"the limit of {limit * scale:g}{unit}" if limit is not None else f"the baseline's {scale:g}{unit}"
