from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gatekeeper.gates import accuracy
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Comparison, Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact
from gatekeeper.records.scores import PairedScores

ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1_000_000)


def judge(right: int, lost: int, wrong: int = 0, limit: float = 0.95, **changes: Any) -> Decision:
    """A baseline right on `right` examples, of which the variant loses `lost`."""
    q = np.repeat([1.0, 0.0], [right, wrong])
    p = np.repeat([0.0, 1.0, 0.0], [lost, right - lost, wrong])
    scores = PairedScores("binary", p=p, q=q, examples=len(q))
    values: dict[str, Any] = {"metric": "accuracy", "baseline": q.mean(), "variant": p.mean(), "scores": scores}
    return accuracy.judge(
        accuracy.Config(retention=limit), Evidence(artifact=ARTIFACT, comparison=Comparison(**(values | changes)))
    )


@pytest.mark.parametrize(
    ("lost", "verdict"), [(0, Verdict.PASS), (10, Verdict.PASS), (45, Verdict.INCONCLUSIVE), (100, Verdict.FAIL)]
)
def test_verdict_of_a_loss(lost: int, verdict: Verdict):
    found = judge(900, lost, wrong=100)
    assert found.verdict is verdict
    assert found.observed == pytest.approx(1 - lost / 900)
    assert found.lower is not None and found.upper is not None
    assert found.lower <= found.observed <= found.upper


def test_three_examples_show_nothing():
    found = judge(3, 0)
    assert found.verdict is Verdict.ERROR
    assert "3 examples cannot show 95.0%; at least 59 are needed" in found.reason


@pytest.mark.parametrize(("examples", "verdict"), [(3, Verdict.ERROR), (8, Verdict.FAIL)])
def test_few_examples_can_show_a_failure(examples: int, verdict: Verdict):
    assert judge(examples, examples).verdict is verdict


@pytest.mark.parametrize(("right", "verdict"), [(58, Verdict.ERROR), (59, Verdict.PASS)])
def test_59_examples_without_loss_are_the_fewest(right: int, verdict: Verdict):
    assert judge(right, 0).verdict is verdict


def test_59_examples_must_be_ones_the_baseline_gets_right():
    assert judge(58, 0, wrong=400).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("wrong", "says"), [(99, True), (100, False)])
def test_fewer_than_500_examples_are_mentioned(wrong: int, says: bool):
    found = judge(400, 0, wrong=wrong)
    assert found.verdict is Verdict.PASS
    assert ("examples leave" in found.reason) == says


def test_what_more_examples_would_buy_is_said():
    assert "1600 would about halve it" in judge(400, 0).reason


def test_values_of_both_models_are_in_the_reason():
    assert "(accuracy 0.9 -> 0.8)" in judge(900, 100, wrong=100).reason


def test_without_labels_the_gate_is_named_agreement():
    assert judge(900, 0, agreement=True).name == "agreement"
    assert judge(900, 0).name is None


def test_an_error_of_the_comparison_is_the_gates_error():
    found = judge(900, 0, error="the baseline is no better than chance")
    assert found.verdict is Verdict.ERROR
    assert found.reason == "the baseline is no better than chance"


def test_no_scores_are_an_error():
    assert judge(900, 0, scores=None).verdict is Verdict.ERROR


def test_a_baseline_that_gets_nothing_right_is_an_error():
    assert judge(0, 0, wrong=900).verdict is Verdict.ERROR


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_an_error(bad: float):
    scores = PairedScores("real", p=np.array([*np.ones(99), bad]), q=np.ones(100), examples=100)
    assert judge(900, 0, scores=scores).verdict is Verdict.ERROR


def test_a_value_that_is_not_known_is_called_unknown():
    assert "unknown -> unknown" in judge(900, 0, baseline=None, variant=None).reason


def test_lower_is_better_scores_pass_when_the_error_stays():
    error = np.random.default_rng(0).uniform(0.5, 1.5, 1000)
    scores = PairedScores("real", p=error, q=error * 1.01, examples=1000)
    assert judge(900, 0, scores=scores, metric="mae").verdict is Verdict.PASS


def test_a_variant_worse_than_nothing_fails_with_ordered_bounds():
    share = np.random.default_rng(0).uniform(0.5, 1.5, 1000)
    found = judge(900, 0, scores=PairedScores("real", p=-share, q=share, examples=1000), metric="r2")
    assert found.verdict is Verdict.FAIL
    assert found.lower is not None and found.observed is not None and found.upper is not None
    assert found.lower <= found.observed <= found.upper
