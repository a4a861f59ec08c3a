"""The frontier of speed, memory and quality: what is marked is beaten by nothing, what is not is beaten by something marked."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.support import round_data

from gatekeeper.measure.race import performance
from gatekeeper.records.base import Verdict
from gatekeeper.records.measured import Performance, Quality
from gatekeeper.records.report import LegReport, VariantReport
from gatekeeper.verdicts.pareto import frontier, marked

POINTS = st.integers(1, 3).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 6).map(float)] * n), max_size=30))


def dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


@given(POINTS)
def test_no_marked_point_is_dominated_and_every_other_is_by_a_marked_one(points: list[tuple[float, ...]]) -> None:
    best = [p for p, kept in zip(points, frontier(points), strict=True) if kept]
    assert not any(dominates(other, p) for p in best for other in points)
    for point, kept in zip(points, frontier(points), strict=True):
        assert kept or any(dominates(other, point) for other in best)


@given(POINTS, st.randoms())
def test_order_does_not_matter_and_something_is_always_best(points: list[tuple[float, ...]], random: Any) -> None:
    shuffled = random.sample(points, len(points))
    assert {p for p, kept in zip(points, frontier(points), strict=True) if kept} == {
        p for p, kept in zip(shuffled, frontier(shuffled), strict=True) if kept
    }
    assert any(frontier(points)) == bool(points)


def test_by_hand() -> None:
    assert frontier([(1, 3), (2, 2), (3, 1), (2, 3), (3, 3), (1, 3)]) == [True, True, True, False, False, True]
    assert frontier([]) == []


def measured(latency_ns: float, memory: int | None = 100) -> Performance:
    found = performance([round_data(0, latency_ns, peak_bytes=memory)], 1, "pss")
    assert found
    return found


def variant(name: str, latency_ns: float, quality: float | None = 0.9, metric: str = "accuracy", **more: Any) -> VariantReport:
    framework, _, technique = name.partition("/")
    about = None if quality is None else Quality(metric=metric, value=quality, examples=100)
    return VariantReport(
        id=f"x86/{name}", framework=framework, technique=technique, verdict=Verdict.PASS, quality=about,
        performance=measured(latency_ns, **more),
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
