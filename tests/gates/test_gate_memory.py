from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kit.support import round_data

from gatekeeper.gates import memory
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact, RoundData

ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1_000_000)
MIB = 2**20


def rounds(peaks: Any) -> list[RoundData]:
    return [round_data(i, 1e6, peak_bytes=p) for i, p in enumerate(peaks)]


def judge(baseline: Any, variant: Any, reduction: float = 0.5) -> Decision:
    evidence = Evidence(artifact=ARTIFACT, baseline=rounds(baseline), variant=rounds(variant))
    return memory.judge(memory.Config(reduction=reduction), evidence)


def noisy(mib: float, noise: float = 0.01, n: int = 8, seed: int = 0) -> list[int]:
    return [int(mib * MIB * np.exp(noise * z)) for z in np.random.default_rng(seed).standard_normal(n)]


@pytest.mark.parametrize(
    ("variant", "verdict"), [(30, Verdict.PASS), (70, Verdict.FAIL), (50, Verdict.INCONCLUSIVE), (150, Verdict.FAIL)]
)
def test_verdict_of_a_reduction(variant: float, verdict: Verdict):
    found = judge(noisy(100), noisy(variant, seed=1))
    assert found.verdict is verdict
    assert found.observed == pytest.approx(1 - variant / 100, abs=0.02)
    assert found.lower is not None and found.upper is not None
    assert found.lower <= found.observed <= found.upper


def test_a_larger_variant_is_called_larger():
    assert "50% larger than the baseline" in judge([100 * MIB] * 5, [150 * MIB] * 5).reason


@pytest.mark.parametrize("mib", [0.0, 0.5, 1.9])
def test_a_baseline_within_the_runtimes_noise_is_settled_as_not_measurable(mib: float):
    found = judge([int(mib * MIB)] * 8, [1] * 8)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.settled
    assert "not measurable" in found.reason and "package_size" in found.reason


def test_an_undecided_reduction_is_not_settled():
    assert not judge(noisy(100), noisy(50, seed=1)).settled


@pytest.mark.parametrize("peak", [0, -4096])
def test_a_variant_below_the_runtimes_noise_counts_as_one_byte(peak: int):
    found = judge(noisy(100), [peak] * 8)
    assert found.verdict is Verdict.PASS
    assert found.observed is not None and found.observed < 1


@pytest.mark.parametrize("arm", ["baseline", "variant"])
def test_a_round_without_memory_is_an_error(arm: str):
    gap = [*noisy(100)[:-1], None]
    found = judge(gap, noisy(30)) if arm == "baseline" else judge(noisy(100), gap)
    assert found.verdict is Verdict.ERROR


def test_a_baseline_of_zero_in_one_round_is_an_error():
    assert judge([0, *noisy(100)[1:]], noisy(30)).verdict is Verdict.ERROR


def test_details_hold_the_bytes_of_both():
    found = judge([100 * MIB] * 5, [30 * MIB] * 5)
    assert found.details == {"baseline_bytes": 100 * MIB, "variant_bytes": 30 * MIB, "rounds": 5}
