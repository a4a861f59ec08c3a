from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gatekeeper.evidence import Evidence
from gatekeeper.gates import speedup
from gatekeeper.records import Artifact, Decision, Interval, RoundData, Verdict

ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1_000_000)


def rounds(medians: Any) -> list[RoundData]:
    return [
        RoundData(round=i, count=200, median_ns=m, mean_ns=m, p95_ns=1.1 * m, p99_ns=1.2 * m, load_ns=1, cpu_utilisation=1.0)
        for i, m in enumerate(float(m) for m in medians)
    ]


def judge(ratio: float, control: float = 1.0, noise: float = 0.01, limit: float = 2.0, n: int = 8) -> Decision:
    """Arms whose geometric means have exactly these ratios."""
    drawn = np.random.default_rng(0).standard_normal((3, n))
    wobble = np.exp(noise * (drawn - drawn.mean(axis=1, keepdims=True)))
    base, variant, copy = 1e6 * wobble[0], 1e6 / ratio * wobble[1], 1e6 / control * wobble[2]
    evidence = Evidence(artifact=ARTIFACT, baseline=rounds(base), variant=rounds(variant), control=rounds(copy))
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


def test_details_hold_the_control():
    found = judge(3.0)
    assert found.details["rounds"] == 8
    lower, upper = found.details["control"]
    assert lower <= 1.01 and upper >= 0.99
