"""Why there is no repair: the rate that is needed, held against a simulation of the work itself."""

from __future__ import annotations

import math

import pytest

from gatekeeper.records.base import Verdict
from gatekeeper.records.repaired import Lost, Tried
from gatekeeper.repair.answer import answers, at_rate, beside, cap, rate_needed
from gatekeeper.repair.seen import is_among

SLOW = Lost(gate="speedup", verdict=Verdict.FAIL, observed=0.6, bound=0.55, limit=2.0, unit="x")


def tried(**values: object) -> Tried:
    return Tried(**({"remedy": "static_for_dynamic", "variant": "v", "edits": [], "step": "confirmed"} | values))  # type: ignore[arg-type]


@pytest.mark.parametrize(("share", "limit"), [(0.6, 2.0), (0.9, 2.0), (0.5, 1.9), (1.0, 4.0)])
def test_at_the_rate_that_is_needed_the_limit_is_reached(share: float, limit: float) -> None:
    rate = rate_needed(share, limit)
    assert rate is not None
    hundred = 100 * (1 - share) + 100 * share / rate  # of a hundred seconds
    assert 100 / hundred == pytest.approx(limit)
    assert at_rate(share, rate) == pytest.approx(limit)


@pytest.mark.parametrize(("share", "limit"), [(0.4, 2.0), (0.5, 2.0), (0.0, 1.01)])
def test_where_no_rate_is_enough_the_cap_is_below_the_limit(share: float, limit: float) -> None:
    assert rate_needed(share, limit) is None
    assert cap(share) <= limit


def test_what_was_not_reached_says_what_would_be_needed() -> None:
    [no] = answers([SLOW], [tried(speedup=1.5)], share=0.9, fastest=None)
    assert (no.word, no.reached, no.limit) == ("not_reached", 1.5, 2.0)
    assert no.rate == pytest.approx(0.9 / (0.5 - 0.1))
    assert no.cap == pytest.approx(10)
    assert no.fastest == pytest.approx(0.9 / (1 / 1.5 - 0.1))
    assert "2.2 times as fast" in no.reason


@pytest.mark.parametrize(("share", "fastest"), [(0.4, None), (0.9, 2.0)])
def test_what_is_bounded_says_by_what(share: float, fastest: float | None) -> None:
    [no] = answers([SLOW], [tried(speedup=1.2)], share=share, fastest=fastest)
    assert no.word == "bounded"
    assert no.cap == pytest.approx(1 / (1 - share))


def test_what_was_seen_refutes_a_bound() -> None:
    """Whatever the profile said can be quantized: faster than its cap is more than that."""
    [no] = answers([SLOW], [tried(speedup=1.73)], share=0.0, fastest=None)
    assert (no.word, no.reached, no.share, no.cap) == ("not_reached", 1.73, None, None)


@pytest.mark.parametrize(
    ("operator", "weighted", "is_it"),
    [
        ("FusedGemm", ["MatMul"], True),
        ("FullyConnectedQuantizedLegacy", ["MatMul"], True),
        ("MatMul", ["Gemm"], True),
        ("NhwcFusedConv", ["Conv"], True),
        ("Convolution", ["Conv"], True),
        ("FusedGemm", ["Conv"], False),
        ("Softmax", ["MatMul", "Conv"], False),
    ],
)
def test_operators_are_known_by_what_runtimes_call_them(operator: str, weighted: list[str], is_it: bool) -> None:
    assert is_among(operator, weighted) is is_it


def test_without_a_profile_only_what_was_seen_is_said() -> None:
    [no] = answers([SLOW], [tried(speedup=1.2)], share=None, fastest=None)
    assert (no.word, no.reached, no.rate, no.cap) == ("not_reached", 1.2, None, None)


def test_all_of_the_time_has_no_cap() -> None:
    assert math.isinf(cap(1.0))
    [no] = answers([SLOW], [], share=1.0, fastest=None)
    assert (no.word, no.rate, no.cap, no.reached) == ("not_reached", 2.0, None, 0.6)


def test_what_was_not_tried_is_said_once_for_each_reason() -> None:
    late = [tried(remedy=name, step="waiting", reason="late") for name in ("a", "b", "a")]
    nos = answers([], [*late, tried(remedy="c", step="unsuited", reason="no option")], None, None)
    assert [(no.word, no.remedies, no.reason) for no in nos] == [
        ("not_tried", ["a", "b"], "late"),
        ("not_tried", ["c"], "no option"),
    ]


def test_what_had_no_turn_to_be_measured_fully_was_not_tried() -> None:
    [no] = answers([], [tried(step="cheap", kl=0.1), tried(step="cheap", lost=[SLOW])], None, None)
    assert (no.word, no.remedies) == ("not_tried", ["static_for_dynamic"])
    assert "neither time nor attempts were left" in no.reason


def test_of_an_upper_limit_the_least_is_the_best() -> None:
    large = Lost(gate="package_size", verdict=Verdict.FAIL, observed=900, bound=900, limit=10, unit="bytes")
    smaller = tried(
        remedy="more", step="confirmed", lost=[Lost(gate="package_size", verdict=Verdict.FAIL, observed=500, limit=10)]
    )
    [no] = answers([large], [smaller], None, None)
    assert (no.word, no.reached) == ("not_reached", 500)


def test_what_was_left_says_what_is_worse_about_it() -> None:
    best = tried(remedy="equalization", step="confirmed", passed=True, kl=1e-5, speedup=2.1)
    slower = beside(tried(step="cheap", remedy="sensitive_layers", kl=1e-5, speedup=0.79), best)
    assert slower.reason == "equalization is better: this is slower (0.79x to 2.10x in two rounds)"
    assert "further from the original's (0.19 to 1e-05)" in beside(tried(step="cheap", kl=0.19, speedup=2.1), best).reason
    assert beside(tried(step="cheap", kl=1e-5, speedup=2.09), best).reason == ""
    rejected = tried(step="cheap", kl=1.0, lost=[SLOW])
    assert beside(rejected, best) == rejected


def test_a_limit_that_one_remedy_reaches_alone_says_what_it_loses() -> None:
    heavy = Lost(gate="memory", verdict=Verdict.FAIL, observed=0.13, limit=0.5, unit="fraction", estimated=True)
    fast = tried(speedup=2.28, memory=0.87, lost=[heavy])
    no, memory = answers([SLOW, heavy], [fast], share=0.89, fastest=None)
    assert no.reason.startswith("static_for_dynamic alone reaches it (2.28x), and loses memory; 89% of the original's time")
    assert memory.reason == "the best that was seen is 13.0%, by the file as it stands"
