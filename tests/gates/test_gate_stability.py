from __future__ import annotations

import numpy as np
import pytest
from kit.support import round_data

from gatekeeper.gates import stability
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact, RoundData

ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1_000_000)


def rounds(tail: float, noise: float = 0.01, count: int = 200, n: int = 8, seed: int = 0) -> list[RoundData]:
    """p95 is about 1 + tail times the median."""
    tails = (1 + tail) * np.exp(noise * np.random.default_rng(seed).standard_normal(n))
    return [round_data(i, 1e6, count=count, p95_ns=1e6 * t, p99_ns=1.2e6 * t) for i, t in enumerate(map(float, tails))]


def judge(variant: list[RoundData], baseline: list[RoundData], limit: float = 0.2) -> Decision:
    evidence = Evidence(artifact=ARTIFACT, baseline=baseline, variant=variant)
    return stability.judge(stability.Config(max_variation=limit), evidence)


def test_a_consistent_variant_passes():
    found = judge(rounds(0.05), rounds(0.05, seed=1))
    assert found.verdict is Verdict.PASS
    assert found.observed == pytest.approx(0.05, abs=0.02)


def test_a_consistent_variant_passes_beside_an_inconsistent_baseline():
    assert judge(rounds(0.05), rounds(0.9, seed=1)).verdict is Verdict.PASS


def test_only_the_variant_inconsistent_is_a_failure():
    found = judge(rounds(0.6), rounds(0.05, seed=1))
    assert found.verdict is Verdict.FAIL
    assert "allowed 20%" in found.reason


def test_both_inconsistent_says_something_of_the_runner_only():
    found = judge(rounds(0.6), rounds(0.5, seed=1))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "runner is too noisy" in found.reason


def test_an_unknown_baseline_does_not_make_a_failure():
    assert judge(rounds(0.6), []).verdict is Verdict.INCONCLUSIVE


def test_a_variant_at_the_limit_is_open():
    found = judge(rounds(0.2, noise=0.05), rounds(0.05))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "does not decide 20%" in found.reason


@pytest.mark.parametrize(("count", "verdict"), [(19, Verdict.INCONCLUSIVE), (20, Verdict.PASS)])
def test_a_p95_needs_twenty_inferences(count: int, verdict: Verdict):
    found = judge(rounds(0.05, count=count), rounds(0.05))
    assert found.verdict is verdict
    assert (verdict is Verdict.PASS) or "only 19 inferences" in found.reason


def test_details_hold_the_baselines_own_variation():
    assert judge(rounds(0.05), rounds(0.3, noise=0.0)).details["baseline"] == pytest.approx(0.3)
