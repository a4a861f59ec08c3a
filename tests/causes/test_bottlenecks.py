"""What limits a variant: each limit from both sides, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from kit.seen import leg, profile, rich, traffic, variant

from gatekeeper.causes.bottlenecks._base import REGISTRY, bottlenecks
from gatekeeper.causes.seen import Seen
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import VariantReport

UNTIMED = Seen(VariantReport(id="a/b/c", framework="b", technique="c", verdict=Verdict.ERROR))


def found(seen: Seen, name: str) -> str:
    return next(each.found for each in bottlenecks(seen) if each.name == name)


def timed(**changes: Any) -> Seen:
    return Seen(variant(**changes), leg())


@pytest.mark.parametrize(
    ("name", "seen", "expected"),
    [
        ("cpu_bound", timed(cpu_utilisation=0.81), "yes"),
        ("cpu_bound", timed(cpu_utilisation=0.80), "no"),
        ("memory_bound", rich(traffic=traffic(0.91)), "yes"),
        ("memory_bound", rich(traffic=traffic(0.90)), "no"),
        ("memory_bound", rich(traffic=traffic(0.91, spread=0.21)), "unknown"),
        ("memory_bound", rich(traffic=traffic(0.10, spread=0.21)), "unknown"),
        ("memory_bound", rich(traffic=traffic(0.91, spread=0.19)), "yes"),
        ("memory_bound", rich(traffic=traffic(0.91, least=True)), "yes"),
        ("memory_bound", rich(traffic=traffic(0.50, least=True)), "unknown"),
        ("inconsistent_performance", timed(p95_ns=1.21e6), "yes"),
        ("inconsistent_performance", timed(p95_ns=1.19e6), "no"),
        ("inconsistent_performance", timed(p95_ns=9e6, alike_p95_ns=1.1, alike_median_ns=1.0), "no"),
        ("overhead_bound", rich(profile=profile(inside=0.45)), "yes"),
        ("overhead_bound", rich(profile=profile(inside=0.95)), "no"),
        ("overhead_bound", rich(profile=profile(inside=0.60)), "unknown"),
        ("overhead_bound", rich(profile=profile(inside=None)), "unknown"),
    ],
)
def test_limits(name: str, seen: Seen, expected: str) -> None:
    assert found(seen, name) == expected


@pytest.mark.parametrize("name", REGISTRY.names)
def test_what_was_not_measured_is_unknown_and_says_why(name: str) -> None:
    each = next(each for each in bottlenecks(UNTIMED) if each.name == name)
    assert each.found == "unknown"
    assert each.reason
    assert (each.cause, each.remedy, each.evidence) == ("", "", [])


def test_what_is_found_has_evidence_with_units_a_cause_and_a_remedy() -> None:
    seen = Seen(variant(p95_ns=2e6, cpu_utilisation=1.0), leg(), profile=profile(inside=0.1), traffic=traffic(0.99))
    every = bottlenecks(seen)
    assert [each.name for each in every] == ["memory_bound", "inconsistent_performance", "cpu_bound", "overhead_bound"]
    assert set(REGISTRY.builtin) == {each.name for each in every}, "a bottleneck that nothing here finds"
    for each in every:
        assert each.found == "yes"
        assert each.cause, each.remedy
        assert each.evidence
        assert all(fact.unit and fact.value is not None for fact in each.evidence)


def test_a_machine_that_makes_the_original_as_unsteady_is_named() -> None:
    def why(seen: Seen) -> str:
        return next(each.cause for each in bottlenecks(seen) if each.name == "inconsistent_performance")

    seen = timed(p95_ns=2e6)
    assert "variant's own work" in why(seen)
    assert "this machine does it" in why(replace(seen, leg=leg(p95_ns=5e6)))
