from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from kit.support import round_data

from gatekeeper.gates import speedup
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.evidence import Effort, Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact, RoundData

ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1_000_000)
WOBBLE = np.exp(0.01 * np.array([-1.0, 0.5, 1.5, -0.5, 0.0, 1.0, -1.5, 0.2]))


def rounds(medians: Any, fastest: float = 0.95) -> list[RoundData]:
    return [round_data(i, float(m), p10_ns=fastest * float(m)) for i, m in enumerate(medians)]


def judge(
    ratio: float, control: float = 1.0, noise: float = 0.01, limit: float = 2.0, n: int = 8, busy: float = 1.0, **effort: Any
) -> Decision:
    """Arms whose geometric means have exactly these ratios; other load makes the baseline's fastest tenth `busy` times faster
    than its median than the variant's is.
    """
    drawn = np.random.default_rng(0).standard_normal((3, n))
    wobble = np.exp(noise * (drawn - drawn.mean(axis=1, keepdims=True)))
    base, variant, copy = 1e6 * wobble[0], 1e6 / ratio * wobble[1], 1e6 / control * wobble[2]
    evidence = Evidence(
        artifact=ARTIFACT,
        baseline=rounds(base, 0.95 / busy),
        variant=rounds(variant),
        control=rounds(copy, 0.95 / busy),
        effort=Effort(**({"round_s": 2.0} | effort)),
    )
    return speedup.judge(speedup.Config(min=limit), evidence)


@pytest.mark.parametrize(
    ("ratio", "verdict"), [(2.5, Verdict.PASS), (1.6, Verdict.FAIL), (2.0, Verdict.INCONCLUSIVE), (0.5, Verdict.FAIL)]
)
def test_verdict_of_a_ratio(ratio: float, verdict: Verdict):
    found = judge(ratio)
    assert found.verdict is verdict
    assert found.observed == pytest.approx(ratio)


def test_a_pass_says_what_is_sure():
    found = judge(3.0)
    assert found.reason.startswith("3.00x as fast")
    assert f"at least {found.lower:.2f}x" in found.reason


def test_a_slower_variant_is_called_slower():
    assert "slower than the baseline" in judge(0.5).reason


def test_an_open_question_names_the_range_and_the_limit():
    assert "does not decide 2x" in judge(2.0).reason


def test_too_much_noise_leaves_a_true_speedup_open():
    assert judge(2.2, noise=0.4).verdict is Verdict.INCONCLUSIVE


def test_more_rounds_decide_what_few_left_open():
    assert judge(2.2, noise=0.08, n=5).verdict is Verdict.INCONCLUSIVE
    assert judge(2.2, noise=0.08, n=24).verdict is Verdict.PASS


@pytest.mark.parametrize("control", [1.2, 1 / 1.2])
def test_a_control_that_is_off_takes_back_a_narrow_pass(control: float):
    found = judge(2.2, control=control)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "too noisy: two copies of the baseline differ" in found.reason


@pytest.mark.parametrize("control", [1.2, 1 / 1.2])
def test_a_control_that_is_off_leaves_a_wide_pass(control: float):
    assert judge(4.0, control=control).verdict is Verdict.PASS


@pytest.mark.parametrize("control", [1.2, 1 / 1.2])
def test_a_control_that_is_off_takes_back_a_narrow_failure_and_leaves_a_wide_one(control: float):
    assert judge(1.8, control=control).verdict is Verdict.INCONCLUSIVE
    assert judge(1.0, control=control).verdict is Verdict.FAIL


@pytest.mark.parametrize("bad", [math.nan, 0.0, math.inf])
def test_without_a_usable_control_nothing_passes(bad: float):
    steady = rounds([1e6, 1.01e6] * 4)
    evidence = Evidence(artifact=ARTIFACT, baseline=steady, variant=rounds([2e5, 2.01e5] * 4), control=rounds([1e6] * 7 + [bad]))
    assert speedup.judge(speedup.Config(), evidence).verdict is not Verdict.PASS


def test_no_control_at_all_is_not_a_pass():
    evidence = Evidence(artifact=ARTIFACT, baseline=rounds([1e6, 1.01e6] * 4), variant=rounds([2e5, 2.01e5] * 4))
    assert speedup.judge(speedup.Config(), evidence).verdict is not Verdict.PASS


@pytest.mark.parametrize(
    ("lower", "upper", "bias"), [(0.9, 1.1, 1.0), (1.0, 1.2, 1.0), (1.1, 1.2, 1.2), (0.5, 0.8, 2.0), (1.25, 1.25, 1.25)]
)
def test_bias_is_the_largest_difference_the_control_allows(lower: float, upper: float, bias: float):
    assert speedup.control_bias(Interval(observed=(lower + upper) / 2, lower=lower, upper=upper)) == pytest.approx(bias)


def test_the_control_stands_beside_the_bounds():
    found = judge(3.0)
    assert found.details["rounds"] == 8
    assert found.control.lower <= 1.01 and found.control.upper >= 0.99


def turned(arm: list[RoundData]) -> list[RoundData]:
    """As this version measures: medians of turns, which are far from those of whole rounds here."""
    return [msgspec.structs.replace(r, turn_median_ns=r.median_ns, median_ns=(3 + r.round) * r.median_ns) for r in arm]


def in_turns(ratio: float, tenths: float, spread: float = 0.0) -> Decision:
    """A variant `ratio` times as fast by medians and means, `tenths` times by fastest tenths, which scatter by `spread`."""
    scatter = np.exp(spread * np.array([-1.0, 1.0] * 4))
    base = rounds(1e6 * WOBBLE)
    variant = rounds(1e6 / ratio * WOBBLE[::-1])
    variant = [
        msgspec.structs.replace(r, p10_ns=0.95e6 / tenths * own * off)
        for r, own, off in zip(variant, WOBBLE, scatter, strict=True)
    ]
    arms = {"baseline": turned(base), "variant": turned(variant), "control": turned(rounds(1e6 * WOBBLE[::-1]))}
    return speedup.judge(speedup.Config(), Evidence(artifact=ARTIFACT, **arms))


def test_medians_are_compared_turn_by_turn():
    found = in_turns(2.5, 2.5)
    assert found.verdict is Verdict.PASS
    assert found.observed == found.details["views"]["medians"][0] == pytest.approx(2.5)


def test_fastest_tenths_hold_back_by_their_value_however_much_they_scatter():
    assert in_turns(2.5, 2.1, spread=0.4).verdict is Verdict.PASS
    found = in_turns(2.5, 1.9, spread=0.4)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.lower == pytest.approx(1.9)
    assert in_turns(1.5, 1.9, spread=0.4).verdict is Verdict.FAIL
    assert in_turns(1.5, 2.1, spread=0.4).verdict is Verdict.INCONCLUSIVE


def test_a_report_of_an_earlier_version_needs_the_bounds_of_all_three():
    found = in_turns(2.5, 2.1, spread=0.4)
    base, fast = rounds(1e6 * WOBBLE), rounds(0.4e6 * WOBBLE[::-1])
    fast = [
        msgspec.structs.replace(r, p10_ns=0.95e6 / 2.1 * math.exp(0.4 * (-1) ** (r.round + 1)) * float(WOBBLE[r.round]))
        for r in fast
    ]
    evidence = Evidence(artifact=ARTIFACT, baseline=base, variant=fast, control=rounds(1e6 * WOBBLE[::-1]))
    assert found.verdict is Verdict.PASS
    assert speedup.judge(speedup.Config(), evidence).verdict is Verdict.INCONCLUSIVE


def test_medians_that_other_load_has_driven_apart_are_not_believed():
    assert judge(4.0, busy=1.5).verdict is Verdict.PASS
    found = judge(4.0, busy=2.2)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "this runner is busy: medians 4.00x, means 4.00x, fastest tenths 1.82x" in found.reason
    assert found.details["views"]["fastest tenths"][0] == pytest.approx(4 / 2.2)
    assert found.lower < 4 / 2.2 < 2.0 < found.upper


@pytest.mark.parametrize("ratio", [4.0, 2.0, 1.5, 0.5, 0.125])
@pytest.mark.parametrize("busy", [1.0, 2.2, 1 / 2.2, 9.0, 1 / 9.0])
def test_the_medians_are_shown_inside_bounds_that_cover_every_view(ratio: float, busy: float):
    found = judge(ratio, busy=busy)
    views = found.details["views"]
    assert found.observed == pytest.approx(views["medians"][0]) == pytest.approx(ratio)
    assert found.lower == min(lower for _, lower, _ in views.values()) <= found.observed
    assert found.upper == max(upper for *_, upper in views.values()) >= found.observed
    assert ("this runner is busy" in found.reason) == (busy != 1)


def test_a_failure_names_the_medians_and_that_the_views_differ():
    """A fastest tenth of the variant that is nine times as slow beside the baseline's says little of the model."""
    found = judge(1 / 8, busy=9.44)
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("8.00x slower than the baseline, needs 2x; this runner is busy: medians 0.12x")
    assert "75" not in found.reason.partition(";")[0]


def test_means_that_do_not_clear_the_limit_hold_it_back():
    base = 1e6 * WOBBLE
    arms = {"baseline": rounds(base), "variant": rounds(0.25 * base[::-1]), "control": rounds(base[::-1])}
    slow = [msgspec.structs.replace(r, mean_ns=2.5 * r.mean_ns) for r in arms["variant"]]
    assert speedup.judge(speedup.Config(), Evidence(artifact=ARTIFACT, **arms)).verdict is Verdict.PASS
    found = speedup.judge(speedup.Config(), Evidence(artifact=ARTIFACT, **(arms | {"variant": slow})))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "means 1.60x" in found.reason


def test_a_failure_is_one_however_latencies_are_compared():
    assert judge(1.5, busy=1.2).verdict is Verdict.FAIL
    assert judge(1.5, busy=1 / 1.5).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("tick", "verdict"), [(0, Verdict.PASS), (10_000, Verdict.PASS), (200_000, Verdict.INCONCLUSIVE)])
def test_half_a_tick_of_the_clock_is_charged(tick: int, verdict: Verdict):
    """A variant of half a millisecond that seems 2.3x as fast on a clock of 0.2 ms may as well be 1.8x."""
    base, fast = 1.15e6 * WOBBLE, 0.5e6 * WOBBLE[::-1]
    arms = {"baseline": rounds(base), "variant": rounds(fast), "control": rounds(base[::-1])}
    ticking = {name: [msgspec.structs.replace(r, tick_ns=tick) for r in arm] for name, arm in arms.items()}
    assert speedup.judge(speedup.Config(), Evidence(artifact=ARTIFACT, **ticking)).verdict is verdict


def test_an_undecided_ratio_says_what_would_decide_it():
    found = judge(2.1, noise=0.1, n=24)
    needed = found.details["needs"]["rounds"]
    assert 24 < needed <= 200
    assert f"set `measure: {{max_rounds: {needed}}}`" in found.reason
    assert found.details["needs"]["seconds"] == pytest.approx(2.0 * needed)
    assert judge(2.1, noise=0.1, n=needed).verdict is Verdict.PASS


def test_where_time_ran_out_the_budget_is_what_to_raise():
    found = judge(2.1, noise=0.1, n=24, budget_s=50.0, max_rounds=200)
    assert "set `measure: {budget: " in found.reason


def test_a_truth_at_the_limit_is_told_to_be_out_of_reach():
    assert "more than 200 rounds would be needed" in judge(2.001, noise=0.1).reason


def test_one_round_bounds_nothing_and_names_the_budget():
    found = judge(4.0, n=1, noise=0.0, budget_s=1.0)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "the budget of 1s ended after it (a round takes 2s); set `measure.budget` to at least 20s" in found.reason


def test_a_clock_whose_every_reading_ties_is_an_error():
    found = judge(4.0, noise=0.0)
    assert found.verdict is Verdict.ERROR
    assert "the clock is too coarse: all 8 rounds read exactly the same" in found.reason
