"""Which of the variants that pass is chosen: by ratios to the baseline, whatever the units, and never one that does not pass."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.sample_reports import two_targets
from kit.support import round_data

from gatekeeper.errors import UsageError
from gatekeeper.measure.race import performance
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Energy, Performance, Quality
from gatekeeper.records.report import LegReport, TargetReport, VariantReport
from gatekeeper.records.wish import Rule, Wish
from gatekeeper.verdicts.judge import passing
from gatekeeper.verdicts.legs import collect
from gatekeeper.verdicts.preference import Preference, in_order
from gatekeeper.verdicts.targets import rejudged, target_report


def measured(latency: float, peak: float | None, joules: float | None = None) -> Performance:
    found = performance([round_data(i, latency, peak_bytes=peak, joules=joules) for i in range(5)], 1, "pss")
    assert found
    return found


def leg(name: str = "x86/ort", latency: float = 1000, peak: float | None = 1000, quality: float = 0.9, **more: Any) -> LegReport:
    about = Quality(metric=more.pop("metric", "accuracy"), value=quality, examples=100)
    joules = more.pop("joules", None)
    return LegReport(
        id=name, framework=name.partition("/")[2], baseline=measured(latency, peak, joules), quality=about, rounds=5, **more
    )


def variant(
    name: str, latency: float, peak: float | None = 500, quality: float | None = 0.9, verdict: Verdict = Verdict.PASS, **more: Any
) -> VariantReport:
    framework, _, technique = name.partition("/")
    about = None if quality is None else Quality(metric=more.pop("metric", "accuracy"), value=quality, examples=100)
    gate = GateResult(gate="accuracy", verdict=verdict, observed=1.0, lower=0.99, upper=1.01, limit=0.95, blocking=True)
    speedup = GateResult(gate="speedup", verdict=verdict, observed=1000 / latency, lower=1000 / latency, limit=0.1, blocking=True)
    return VariantReport(
        id=f"x86/{name}", framework=framework, technique=technique, verdict=verdict, quality=about,
        performance=measured(latency, peak, more.pop("joules", None)), gates=[gate, speedup],
    )  # fmt: skip


def first(variants: list[VariantReport], wish: Wish, legs: list[LegReport] | None = None, alike: bool = True) -> str:
    preference = Preference(passing(variants), legs or [leg()], wish, alike)
    chosen = preference.ordered[0]
    assert preference.because(chosen)
    return chosen.id.removeprefix("x86/")


def weighing(**weights: float) -> Wish:
    return Wish(select="preferences", weights=weights)


FAST, SMALL, TRUE = variant("ort/fast", 100, 800, 0.85), variant("ort/small", 400, 100, 0.87), variant("ort/true", 800, 900, 0.9)
ALL = [TRUE, SMALL, FAST]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Wish(), "ort/fast"),
        (Wish(select="speed"), "ort/fast"),
        (Wish(select="memory"), "ort/small"),
        (Wish(select="balanced"), "ort/small"),  # 2.5 x 10 x 0.967 is more than 10 x 1.25 x 0.944
        (weighing(speed=1), "ort/fast"),
        (weighing(memory=1), "ort/small"),
        (weighing(accuracy=1), "ort/true"),
        (weighing(speed=10, memory=1), "ort/fast"),
        (weighing(speed=2, accuracy=1, memory=1), "ort/fast"),  # 10^2 x 1.25 x 0.944 = 118 against 2.5^2 x 10 x 0.967 = 60
        (weighing(speed=1, accuracy=1000), "ort/true"),
    ],
)
def test_what_is_asked_for_is_chosen(wish: Wish, expected: str) -> None:
    assert first(ALL, wish) == expected


def test_the_weighed_sum_is_that_of_the_logarithms() -> None:
    """By hand: ln(1000 / 400) + 2 ln(1000 / 100) + 3 ln(0.87 / 0.9)."""
    found = Preference(ALL, [leg()], weighing(speed=1, memory=2, accuracy=3), True).score(SMALL)
    assert found == pytest.approx(0.916290731874155 + 2 * 2.302585092994046 + 3 * -0.0339015516756813)


NUMBERS = st.floats(1, 1000)
POINTS = st.lists(st.tuples(NUMBERS, NUMBERS, st.floats(0.1, 1)), min_size=1, max_size=6)


@given(POINTS, st.tuples(*[st.floats(0, 10)] * 3).filter(any), st.tuples(*[st.floats(1e-3, 1e3)] * 3))
def test_another_unit_changes_no_choice(
    points: list[tuple[float, float, float]], weights: tuple[float, ...], by: tuple[float, ...]
) -> None:
    """Nanoseconds or hours, bytes or gigabytes, a share or per cent: the baseline is in the same unit."""
    wish = weighing(speed=weights[0], accuracy=weights[1], memory=weights[2])

    def order(time: float, size: float, share: float) -> list[str]:
        own = [variant(f"ort/{i}", a * time, b * size, c * share) for i, (a, b, c) in enumerate(points)]
        ordered = Preference(own, [leg("x86/ort", 500 * time, 500 * size, 0.5 * share)], wish, True)
        scores = sorted(ordered.score(v) for v in own)
        if any(b - a < 1e-6 for a, b in pairwise(scores)):  # a tie is broken by what is read first
            return []
        return [v.id for v in ordered.ordered]

    here, there = order(1, 1, 1), order(*by)
    assert here == there or not (here and there)


@given(
    POINTS,
    st.sampled_from(
        [Wish(), Wish(select="memory"), Wish(select="accuracy"), Wish(select="balanced"), weighing(speed=1, memory=1)]
    ),
)
def test_only_what_passes_is_in_the_order_and_all_of_it_is(points: list[tuple[float, float, float]], wish: Wish) -> None:
    verdicts = [Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIP]
    own = [variant(f"ort/{i}", *point, verdict=verdicts[i % 5]) for i, point in enumerate(points)]
    found = target_report("x86", "cpu", "all", [leg()], own, None, wish)
    assert found.selected in {None, *(v.id for v in passing(own))}
    ordered = Preference(passing(own), [leg()], wish, True).ordered
    assert sorted(v.id for v in ordered) == sorted(v.id for v in own if v.verdict is Verdict.PASS)


def test_the_fastest_of_those_that_are_as_accurate_within_noise() -> None:
    """The gate's bounds are a hundredth wide: 0.9 and 0.895 are level, 0.8 is not."""
    level = [variant("ort/a", 900, quality=0.9), variant("ort/b", 300, quality=0.895), variant("ort/c", 100, quality=0.8)]
    assert first(level, Wish(select="accuracy")) == "ort/b"
    assert "2 that are level within noise" in Preference(level, [leg()], Wish(select="accuracy"), True).because(level[1])


@pytest.mark.parametrize(("value", "expected"), [(1.5, "ort/b"), (3.0, "ort/a")])
def test_of_an_error_less_is_kept_more(value: float, expected: str) -> None:
    own = [variant("ort/a", 100, quality=2.0, metric="mae"), variant("ort/b", 100, quality=value, metric="mae")]
    assert first(own, weighing(accuracy=1), [leg(quality=1.0, metric="mae")]) == expected


def test_on_differing_machines_each_is_held_to_its_own_baseline() -> None:
    own = [variant("ort/a", 100), variant("ov/b", 200)]
    legs = [leg(), leg("x86/ov", 8000)]
    assert first(own, weighing(speed=1), legs, alike=True) == "ort/a"
    assert first(own, weighing(speed=1), legs, alike=False) == "ov/b"


def test_what_was_not_measured_of_all_does_not_count_and_is_named() -> None:
    own = [variant("ort/a", 100, None), variant("ort/b", 200, 10)]
    wish = weighing(speed=1, memory=1)
    assert first(own, wish) == "ort/a"
    assert "not counted: memory" in Preference(own, [leg()], wish, True).because(own[0])
    assert first(own, weighing(memory=1)) == "ort/a", "nothing that is asked for is known: the fastest"


@pytest.mark.parametrize(("kind", "expected"), [("measured", "ort/b"), ("estimate", "ort/a")])
def test_energy_counts_where_it_was_measured(kind: Any, expected: str) -> None:
    own = [variant("ort/a", 100, joules=2.0), variant("ort/b", 200, joules=0.5)]
    legs = [leg(joules=2.0, energy=Energy(method="x", kind=kind))]
    assert first(own, weighing(energy=1), legs) == expected


def judged(wish: Wish, rule: Rule | None = None) -> TargetReport:
    return target_report("x86", "cpu", "all", [leg()], ALL, None, wish, rule)


def test_the_target_is_given_what_was_chosen_and_why() -> None:
    for wish, expected in ((Wish(), "fast"), (Wish(select="memory"), "small"), (weighing(accuracy=1), "true")):
        found = judged(wish)
        assert found.selected == f"x86/ort/{expected}"
        assert found.because
        assert rejudged(found, found.legs, found.variants) == found
    assert "ort/small takes 4 times as long, beyond noise" in judged(Wish()).because


def test_a_reason_that_was_edited_does_not_survive() -> None:
    edited = msgspec.structs.replace(judged(Wish()), because="because I say so", selected="x86/ort/true")
    again = rejudged(edited, edited.legs, edited.variants)
    assert (again.selected, again.because) == ("x86/ort/fast", judged(Wish()).because)


@pytest.mark.parametrize(("framework", "said"), [("ort", ""), ("openvino", "ort/fast is chosen; the rule starts with openvino")])
def test_the_report_says_where_the_measurement_differs_from_the_rule(framework: str, said: str) -> None:
    found = judged(Wish(), Rule(framework=framework, because="Intel hardware", measured="edited")).rule
    assert found is not None
    assert said in found.measured and bool(found.measured) is bool(said)


def test_legs_that_choose_otherwise_are_not_of_one_file() -> None:
    one = two_targets()
    target = one.targets[0]
    legs = [LegReport(id=f"{target.name}/other", framework="other")]
    other = msgspec.structs.replace(target, wish=Wish(select="memory"), legs=legs, variants=[])
    with pytest.raises(UsageError, match="differ in `select` or `preferences`"):
        collect([one, msgspec.structs.replace(one, targets=[other])])
    collect([one, msgspec.structs.replace(one, targets=[msgspec.structs.replace(other, wish=Wish(where="else.yaml:3"))])])


def test_the_tests_behind_a_server_begin_with_what_would_be_chosen() -> None:
    """Of what may still come to pass: the others are left out as soon as one does."""
    own = [msgspec.structs.replace(each, verdict=Verdict.INCONCLUSIVE) for each in ALL]
    assert [v.technique for v in in_order(own, leg(), Wish(select="memory"))] == ["small", "fast", "true"]
    assert [v.technique for v in in_order(own, leg(), Wish())] == ["fast", "small", "true"]


def test_where_nothing_was_timed_the_smaller_file_is_chosen_and_said() -> None:
    own = [msgspec.structs.replace(each, performance=None) for each in (FAST, SMALL)]
    for wish in (Wish(), Wish(select="memory"), weighing(speed=1), Wish(select="balanced")):
        found = Preference(own, [msgspec.structs.replace(leg(), baseline=None)], wish, False)
        assert "nothing was timed" in found.because(found.ordered[0])


@pytest.mark.parametrize("wish", [Wish(), Wish(select="accuracy"), Wish(select="balanced"), weighing(speed=1, energy=1)])
def test_what_says_nothing_of_times_is_chosen_last_and_said(wish: Wish) -> None:
    untimed = leg("x86/mlx", untimed="only a reference")
    own = [variant("mlx/a", 1), *ALL]
    found = Preference(own, [leg(), untimed], wish, True)
    assert found.ordered[-1].technique == "a"
    assert "say nothing" in found.because(found.ordered[-1])
    assert Preference(own[:1], [untimed], wish, True).because(own[0]) == "it is the only one that passes"


@given(
    st.sampled_from([0.0, 1e-320, 1e-300, 1.0, 1e300, 1.7e308]),
    st.sampled_from([0, 1, 1 << 62]),
    st.sampled_from([-1e308, 0.0, 1e-320, 1.0]),
)
def test_no_number_of_a_report_breaks_it(latency: float, peak: int, quality: float) -> None:
    odd = variant("ort/odd", 1)
    assert odd.performance
    about = Quality(metric="accuracy", value=quality, examples=1)
    odd = msgspec.structs.replace(
        odd, quality=about, performance=msgspec.structs.replace(odd.performance, p50_ns=latency, peak_bytes=float(peak))
    )
    for wish in (
        Wish(),
        Wish(select="memory"),
        Wish(select="accuracy"),
        Wish(select="balanced"),
        weighing(speed=1000, accuracy=1e308),
    ):
        for alike in (True, False):
            found = Preference([odd, *ALL], [leg()], wish, alike)
            assert len(found.ordered) == 4
            assert all(found.because(each) for each in found.ordered)
