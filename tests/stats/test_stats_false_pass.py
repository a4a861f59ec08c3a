"""The promise of every gate at its exact limit, simulated: 2,000 runs a cell. 20,000 are in tests/benchmarks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import simulation
from scipy.special import bdtrc
from simulation import BASELINE, CONTROL, LOOKS, MAKERS, PROMISE, REDUCTION, TIMINGS, VARIANT, VARIATION, Row

from gatekeeper.evidence import Evidence
from gatekeeper.gates import memory, speedup, stability
from gatekeeper.records import Artifact, Verdict
from gatekeeper.stats.looks import look_alpha

RUNS = 2000
SIGN = {Verdict.PASS: 1, Verdict.FAIL: -1, Verdict.INCONCLUSIVE: 0}


def evidence(**arms: Any) -> Evidence:
    return Evidence(artifact=Artifact(path="x", sha256="", bytes=1), alpha=look_alpha(len(LOOKS)), **arms)


def first_verdict(judge: Callable[[int], Verdict]) -> int:
    return next((SIGN[v] for look in LOOKS if (v := judge(look)) is not Verdict.INCONCLUSIVE), 0)


@pytest.mark.parametrize("ratio", [1.9, 2.0, 2.15])
@pytest.mark.parametrize("noise", ["normal", "bursts", "arms unequal by 5 %"])
def test_the_speedup_simulated_is_the_gates(noise: str, ratio: float) -> None:
    logs = TIMINGS[noise].logs(np.random.default_rng(1), 40, ratio)
    found, _ = simulation.speedup(logs, 2.0)
    for run, verdict in zip(np.exp(logs), found, strict=True):
        arms = [[SimpleNamespace(median_ns=float(x)) for x in run[:, arm]] for arm in (BASELINE, VARIANT, CONTROL)]

        def judge(look: int, arms: Any = arms) -> Verdict:
            parts = {name: arm[:look] for name, arm in zip(("baseline", "variant", "control"), arms, strict=True)}
            return speedup.judge(speedup.DEFAULT, evidence(**parts)).verdict

        assert first_verdict(judge) == verdict


def test_the_memory_simulated_is_the_gates() -> None:
    logs = simulation.peaks("normal", np.random.default_rng(2), 60)
    found = simulation.one_ratio(logs, 1 - REDUCTION, LOOKS)
    for run, verdict in zip(np.exp(logs), found, strict=True):
        # In bytes so large that rounding them does not matter.
        variant = [SimpleNamespace(peak_bytes=int(x * 2**50)) for x in run]
        baseline = [SimpleNamespace(peak_bytes=2**50) for _ in run]

        def judge(look: int, variant: Any = variant, baseline: Any = baseline) -> Verdict:
            return memory.judge(memory.DEFAULT, evidence(baseline=baseline[:look], variant=variant[:look])).verdict

        assert first_verdict(judge) == verdict


def test_the_stability_simulated_is_the_gates() -> None:
    logs = simulation.spreads("normal", 200, np.random.default_rng(3), 60, simulation.p95_method())
    found = simulation.one_ratio(logs, 1 + VARIATION, LOOKS)
    for run, verdict in zip(np.exp(logs), found, strict=True):
        rounds = [SimpleNamespace(p95_ns=float(x), median_ns=1.0, count=200) for x in run]
        steady = [SimpleNamespace(p95_ns=1.0, median_ns=1.0, count=200) for _ in run]

        def judge(look: int, rounds: Any = rounds, steady: Any = steady) -> Verdict:
            return stability.judge(stability.DEFAULT, evidence(baseline=steady[:look], variant=rounds[:look])).verdict

        assert first_verdict(judge) == verdict


def clearly_above(row: Row) -> bool:
    """Whether so many passes are unlikely (0.1 %, for a hundred cells) at a rate of 5 %."""
    return bool(bdtrc(row.passed - 1, row.runs, PROMISE) < 0.001) if row.passed else False


@pytest.mark.parametrize("rows", MAKERS, ids=lambda rows: rows.__name__)
def test_a_gate_at_its_limit_passes_at_most_five_percent_of_the_time(rows: Callable[[int], Iterator[Row]]) -> None:
    assert [row for row in rows(RUNS) if not row.broken and clearly_above(row)] == []


def test_the_simulation_is_strong_enough_to_see_a_broken_promise() -> None:
    found = {row.noise: row for row in itertools.chain(simulation.speedup_rows(RUNS), simulation.memory_rows(RUNS))}
    for noise in ("rounds correlated 0.4", "slow mode of the variant alone, 20 %", "arms unequal by 5 %"):
        assert clearly_above(found[noise])


def test_every_noise_of_a_gate_has_a_row() -> None:
    assert {row.noise for row in simulation.speedup_rows(10)} == set(TIMINGS)


def test_a_row_says_what_it_can_show() -> None:
    row = Row("gate", "noise", 0, 299)
    assert row.upper == pytest.approx(0.00997, abs=1e-4)
    assert row.met
    assert Row("gate", "noise", 10, 10).upper == 1.0
    assert not Row("gate", "noise", 90, 2000).met
    assert "**missed**" in simulation.table([Row("gate", "noise", 90, 2000)])


def test_the_full_version_exists() -> None:
    assert (Path(__file__).parents[1] / "benchmarks/test_bench_false_pass.py").exists()
