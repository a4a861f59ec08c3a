"""The frontier of speed, memory and quality: what is marked is beaten by nothing, what is not is beaten by something marked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.support import round_data

from gatekeeper.evaluate.metrics._base import REGISTRY as METRICS
from gatekeeper.measure.race import performance
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Energy, Performance, Quality
from gatekeeper.records.report import LegReport, VariantReport
from gatekeeper.verdicts.pareto import LOWER_IS_BETTER, Point, frontier, marked

SPANS = st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 3)).map(lambda t: span(t[0], t[0] - t[1], t[0] + t[2]))
POINTS = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.tuples(*[SPANS] * n).map(lambda spans: dict(zip("abc", spans, strict=False))), max_size=30)
)


def span(observed: float, lower: float | None = None, upper: float | None = None) -> Interval:
    return Interval(observed=observed, lower=observed if lower is None else lower, upper=observed if upper is None else upper)


def dominates(a: Point, b: Point) -> bool:
    """What would be said of the observed values alone, if there were no noise."""
    pairs = [(a[axis].observed, b[axis].observed) for axis in a]
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


@given(POINTS)
def test_nothing_on_the_frontier_is_beaten_and_everything_off_it_is(points: list[Point]) -> None:
    for point, kept in zip(points, frontier(points), strict=True):
        shown = [
            all(o[axis].observed <= point[axis].observed for axis in point)
            and any(o[axis].upper < point[axis].lower for axis in point)
            for o in points
        ]
        assert kept is not any(shown)


@given(POINTS)
def test_noise_only_ever_adds_to_the_frontier(points: list[Point]) -> None:
    """What the observed values alone leave on it stays, so something always is on it."""
    kept = frontier(points)
    for point, on in zip(points, kept, strict=True):
        assert on or any(dominates(other, point) for other in points)
    assert any(kept) == bool(points)


@given(POINTS, st.randoms())
def test_order_does_not_matter(points: list[Point], random: Any) -> None:
    places = list(range(len(points)))
    random.shuffle(places)
    again = frontier([points[i] for i in places])
    assert [frontier(points)[i] for i in places] == again


def test_by_hand() -> None:
    exact = [{"x": span(a), "y": span(b)} for a, b in [(1, 3), (2, 2), (3, 1), (2, 3), (3, 3), (1, 3)]]
    assert frontier(exact) == [True, True, True, False, False, True]
    assert frontier([]) == []
    clear, noisy = {"x": span(1, 0.9, 1.1)}, {"x": span(2, 1.5, 2.5)}
    assert frontier([clear, noisy]) == [True, False], "1.1 < 1.5: beyond noise"
    assert frontier([clear, {"x": span(2, 1.1, 2.5)}]) == [True, True], "the bounds touch"
    assert frontier([clear, {"x": span(2, -math.inf, math.inf)}]) == [True, True], "nothing is known of its noise"


def measured(latency_ns: float, memory: int | None = 100) -> Performance:
    found = performance([round_data(i, latency_ns, peak_bytes=memory) for i in range(3)], 1, "pss")
    assert found
    return found


def variant(name: str, latency_ns: float, quality: float | None = 0.9, metric: str = "accuracy", **more: Any) -> VariantReport:
    framework, _, technique = name.partition("/")
    about = None if quality is None else Quality(metric=metric, value=quality, examples=100)
    exact = GateResult(gate="accuracy", verdict=Verdict.PASS, observed=1.0, lower=1.0, upper=1.0, limit=0.95)
    return VariantReport(
        id=f"x86/{name}", framework=framework, technique=technique, verdict=Verdict.PASS, quality=about,
        performance=measured(latency_ns, **more), gates=[exact],
    )  # fmt: skip


def leg(framework: str, latency_ns: float, quality: float = 0.9, metric: str = "accuracy", memory: int | None = 100) -> LegReport:
    return LegReport(
        id=f"x86/{framework}", framework=framework, baseline=measured(latency_ns, memory),
        quality=Quality(metric=metric, value=quality, examples=100),
    )  # fmt: skip


def marks(variants: list[VariantReport], legs: list[LegReport] | None = None) -> dict[str, bool | None]:
    return {v.id.removeprefix("x86/"): v.pareto for v in marked(variants, legs or [], one_machine=legs is None)}


def test_on_one_machine_numbers_are_compared() -> None:
    found = marks([variant("ort/a", 100), variant("ov/b", 200), variant("ov/c", 300, memory=50), variant("ov/d", 400, 0.95)])
    assert found == {"ort/a": True, "ov/b": False, "ov/c": True, "ov/d": True}


def test_elsewhere_ratios_to_the_own_baseline_are() -> None:
    """`ov/b` takes twice as long as `ort/a`, on a machine four times as slow."""
    variants = [variant("ort/a", 100), variant("ov/b", 200)]
    assert marks(variants) == {"ort/a": True, "ov/b": False}
    assert marks(variants, [leg("ort", 200), leg("ov", 800)]) == {"ort/a": False, "ov/b": True}


@pytest.mark.parametrize("metric", ["mae", "rmse", "perplexity"])
@pytest.mark.parametrize("apart", [False, True])
def test_of_an_error_less_is_better(metric: str, apart: bool) -> None:
    variants = [variant("ort/a", 100, 2.0, metric), variant("ort/b", 100, 1.5, metric)]
    assert marks(variants, [leg("ort", 200, 1.0, metric)] if apart else None) == {"ort/a": False, "ort/b": True}


def test_what_is_not_known_is_not_placed() -> None:
    unknown = [variant("ort/a", 1, None), variant("ort/b", 1, float("nan"))]
    unmeasured = VariantReport(id="x86/ort/c", framework="ort", technique="c", verdict=Verdict.ERROR)
    found = marks([*unknown, unmeasured, variant("ort/d", 100)])
    assert found == {"ort/a": None, "ort/b": None, "ort/c": None, "ort/d": True}
    assert marks([variant("ort/d", 100)], [LegReport(id="x86/ort", framework="ort")]) == {"ort/d": None}


def test_where_times_say_nothing_a_variant_is_not_placed() -> None:
    untimed = msgspec.structs.replace(leg("mlx", 100), untimed="only a reference")
    variants = [variant("mlx/a", 1), variant("ort/b", 100)]
    for one_machine in (True, False):
        assert [v.pareto for v in marked(variants, [untimed, leg("ort", 100)], one_machine)] == [None, True]


@pytest.mark.parametrize("legs", [None, [leg("ort", 100)], [leg("ort", 100, memory=None)], [leg("ort", 100, memory=0)]])
def test_memory_counts_where_it_is_known_of_all(legs: list[LegReport] | None) -> None:
    assert marks([variant("ort/a", 100), variant("ort/b", 200, memory=None)], legs) == {"ort/a": True, "ort/b": False}


def test_marking_twice_changes_nothing() -> None:
    once = marked([variant("ort/a", 100), variant("ort/b", 200)], [], one_machine=True)
    assert marked(once, [], one_machine=True) == once


def noisy(name: str, latencies: list[float]) -> VariantReport:
    found = performance([round_data(i, each, peak_bytes=100) for i, each in enumerate(latencies)], 1, "pss")
    return msgspec.structs.replace(variant(name, 100), performance=found)


def test_what_is_slower_within_noise_stays() -> None:
    fast, slow = [100.0, 101.0, 99.0, 100.0, 100.0], [104.0, 96.0, 112.0, 101.0, 105.0]
    assert marks([noisy("ort/a", fast), noisy("ort/b", slow)]) == {"ort/a": True, "ort/b": True}
    assert marks([noisy("ort/a", fast), noisy("ort/b", [2 * each for each in slow])]) == {"ort/a": True, "ort/b": False}


def test_of_one_round_nothing_is_known() -> None:
    assert marks([noisy("ort/a", [1.0]), noisy("ort/b", [1000.0])]) == {"ort/a": True, "ort/b": True}


@pytest.mark.parametrize("kind", ["measured", "estimate"])
def test_energy_counts_where_it_was_measured(kind: Any) -> None:
    """`ort/b` is slower, and needs less energy by a counter; an estimate is no measurement."""
    counted = msgspec.structs.replace(leg("ort", 100), energy=Energy(method="x", kind=kind))
    variants = [
        msgspec.structs.replace(
            variant(name, latency),
            performance=performance([round_data(i, latency, peak_bytes=100, joules=joules) for i in range(3)], 1, "pss"),
        )
        for name, latency, joules in (("ort/a", 100, 2.0), ("ort/b", 200, 1.0))
    ]
    found = [each.pareto for each in marked(variants, [counted], one_machine=True)]
    assert found == [True, kind == "measured"]


@pytest.mark.parametrize("name", METRICS.builtin)
def test_the_metrics_of_which_less_is_better_are_known(name: str) -> None:
    """By what their own files say of them."""
    said = Path(str(METRICS.get(name).__file__)).read_text()
    assert ("lower is better" in said) is (name in LOWER_IS_BETTER)
