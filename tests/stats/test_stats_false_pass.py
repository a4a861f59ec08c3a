"""The promise of every gate at its exact limit, simulated: 2,000 runs a cell. 20,000 are in tests/benchmarks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from kit.support import round_data
from simulation import clocks, rules
from simulation.cells import MAKERS
from simulation.energy import REDUCTION as SAVED
from simulation.energy import blocks, charge, energy_rows, power_rows
from simulation.memory import REDUCTION, memory_rows, peaks
from simulation.noise import ARMS, BASELINE, CONTROL, VARIANT
from simulation.peers import peers, peers_table
from simulation.perplexity import perplexity_rows
from simulation.power import power_table
from simulation.rows import Row, clearly_above, summary, table
from simulation.scores import LIMIT, ORDINARY, cells, rates, score_rows, several
from simulation.speedup import RERUN, rerun_rows, speedup_rows
from simulation.stability import VARIATION, consistency_rows, p95_method, quantiles
from simulation.tail import tail_rows
from simulation.timings import TIMINGS

from gatekeeper.gates import energy, memory, speedup, stability
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.measured import Artifact, Energy
from gatekeeper.stats.looks import ALPHA, LOOKS, look_alpha
from gatekeeper.stats.retention import examples_needed, retention_interval, shows

RUNS = 2000
ALIKE = {  # every input takes as long as any other
    "inputs": 32, "short_ns": None, "long_ns": None, "alike_p10_ns": None, "alike_median_ns": None, "alike_p95_ns": None,
}  # fmt: skip
SIGN = {Verdict.PASS: 1, Verdict.FAIL: -1, Verdict.INCONCLUSIVE: 0, Verdict.ERROR: 0}


def evidence(attempt: int = 1, **arms: Any) -> Evidence:
    alpha = look_alpha(len(arms["variant"]), LOOKS[-1], attempt)
    return Evidence(artifact=Artifact(path="x", sha256="", bytes=1), alpha=alpha, **arms)


def first_verdict(judge: Callable[[int], Verdict]) -> int:
    return next((v for look in LOOKS if (v := SIGN[judge(look)])), 0)


def speedup_of(run: Any, attempt: int = 1, views: Any = (), tick: float = 0.0) -> int:
    """The gate's first verdict on median latencies of shape [rounds, arms]; `views` are means and fastest tenths."""
    means, fastest = views or (run, run)
    arms = {
        name: [
            SimpleNamespace(turn_median_ns=float(m), mean_ns=float(e), p10_ns=float(f), tick_ns=tick, **ALIKE)
            for m, e, f in zip(run[:, arm], means[:, arm], fastest[:, arm], strict=True)
        ]
        for name, arm in (("baseline", BASELINE), ("variant", VARIANT), ("control", CONTROL))
    }

    def judge(look: int) -> Verdict:
        return speedup.judge(speedup.DEFAULT, evidence(attempt, **{name: arm[:look] for name, arm in arms.items()})).verdict

    return first_verdict(judge)


@pytest.mark.parametrize("ratio", [1.9, 2.0, 2.15, 2.6])
@pytest.mark.parametrize("noise", ["normal", "bursts", "arms unequal by 5 %", "ties (clock of 5 %)", "ties (clock of 20 %)"])
def test_the_speedup_simulated_is_the_gates(noise: str, ratio: float) -> None:
    timing = TIMINGS[noise]
    logs = timing.logs(np.random.default_rng(1), 40, ratio)
    found, _ = rules.speedup(logs, 2.0, tick=timing.tick)
    latencies = np.round(np.exp(logs), 9)  # in nanoseconds or ticks, readings that tie are equal
    assert [speedup_of(run, tick=timing.tick) for run in latencies] == found.tolist()


def test_a_later_attempt_simulated_is_the_gates() -> None:
    logs = TIMINGS["normal"].logs(np.random.default_rng(4), 40, 2.15)
    found, _ = rules.speedup(logs, 2.0, attempt=3)
    assert [speedup_of(run, attempt=3) for run in np.exp(logs)] == found.tolist()
    assert found.sum() < rules.speedup(logs, 2.0)[0].sum()


def test_the_three_views_simulated_are_the_gates() -> None:
    logs, means, fastest = (
        TIMINGS["normal"].logs(np.random.default_rng(seed), 40, ratio) for seed, ratio in ((5, 2.2), (6, 2.05), (7, 2.1))
    )
    found, _ = rules.speedup(logs, 2.0, views=[means, fastest])
    latencies = zip(np.exp(logs), np.exp(means), np.exp(fastest), strict=True)
    assert [speedup_of(run, views=views) for run, *views in latencies] == found.tolist()
    assert 0 < found.sum() < rules.speedup(logs, 2.0)[0].sum()


def test_rounds_that_all_tie_have_no_verdict() -> None:
    latencies = np.ones((1, LOOKS[-1], ARMS))
    latencies[:, :, [BASELINE, CONTROL]] = 3.0
    assert rules.speedup(np.log(latencies), 2.0)[0].tolist() == [speedup_of(latencies[0])] == [0]
    latencies[:, 0, BASELINE] = 3.001
    assert rules.speedup(np.log(latencies), 2.0)[0].tolist() == [speedup_of(latencies[0])] == [1]


def test_the_memory_simulated_is_the_gates() -> None:
    logs = peaks("normal", np.random.default_rng(2), 60)
    found = rules.one_ratio(logs, 1 - REDUCTION, LOOKS)
    for run, verdict in zip(np.exp(logs), found, strict=True):
        # In bytes so large that rounding them does not matter.
        variant = [SimpleNamespace(peak_bytes=int(x * 2**50)) for x in run]
        baseline = [SimpleNamespace(peak_bytes=2**50) for _ in run]

        def judge(look: int, variant: Any = variant, baseline: Any = baseline) -> Verdict:
            return memory.judge(memory.DEFAULT, evidence(baseline=baseline[:look], variant=variant[:look])).verdict

        assert first_verdict(judge) == verdict


@pytest.mark.parametrize(("part", "share"), [(0.001, 0.6), (0.05, 0.45)])
def test_the_energy_simulated_is_the_gates(part: float, share: float) -> None:
    """Blocks of a second, read by a counter that is so far behind; the variant's joules are so much less than at the limit."""
    joules, _ = blocks(np.random.default_rng(8), 40, 0.5, part, "normal")
    joules[:, :, VARIANT] += np.log(share / (1 - SAVED)) + 0.4 * (np.arange(40)[:, None] % 4)
    meter = Energy(method="rapl", kind="measured", lag_s=part, blocks=8)
    found = rules.energy_ratio(joules, 1 - SAVED, LOOKS, charge(part) ** 2)
    for run, verdict in zip(np.exp(joules), found, strict=True):
        arms = {
            name: [round_data(i, 1e9, count=8, joules=float(x), timed_ns=8e9) for i, x in enumerate(run[:, arm])]
            for name, arm in (("baseline", BASELINE), ("variant", VARIANT), ("control", CONTROL))
        }

        def judge(look: int, arms: Any = arms) -> Verdict:
            seen = evidence(energy=meter, **{name: arm[:look] for name, arm in arms.items()})
            return energy.judge(energy.Config(reduction=SAVED), seen).verdict

        assert first_verdict(judge) == verdict
    assert {1, -1} <= set(found.tolist())


@pytest.mark.parametrize("rows", [energy_rows, power_rows])
def test_energy_at_the_limit_passes_as_rarely_as_promised(rows: Any) -> None:
    found = list(rows(RUNS // 4))
    assert not [row for row in found if clearly_above(row) and not row.broken]
    assert all(row.rate > 0.5 for row in found if row.broken and "0% of" in row.noise and "10%" not in row.noise)


@pytest.mark.parametrize("tick", [0.0, 0.02])
def test_the_stability_simulated_is_the_gates(tick: float) -> None:
    middle, slow = quantiles("normal", 200, np.random.default_rng(3), 60, p95_method())
    found = rules.tail_ratio(middle, slow - 0.02, 1 + VARIATION, LOOKS, tick)
    for p50s, p95s, verdict in zip(np.exp(middle), np.exp(slow - 0.02), found, strict=True):
        rounds = [
            SimpleNamespace(p95_ns=float(x), median_ns=float(m), count=200, tick_ns=tick, **ALIKE)
            for m, x in zip(p50s, p95s, strict=True)
        ]
        steady = [SimpleNamespace(p95_ns=1.0, median_ns=1.0, count=200, tick_ns=tick, **ALIKE) for _ in rounds]

        def judge(look: int, rounds: Any = rounds, steady: Any = steady) -> Verdict:
            return stability.judge(stability.DEFAULT, evidence(baseline=steady[:look], variant=rounds[:look])).verdict

        assert first_verdict(judge) == verdict


FEWER: dict[Any, dict[str, Any]] = {
    consistency_rows: {"sizes": (20, 50), "broken_too": False},
    perplexity_rows: {"sizes": (200,)},
    tail_rows: {"most": 10_000, "broken_too": False},
}
"""Cells that are always simulated: of few inferences, windows and requests, where a bound is the likeliest to be wrong."""


@pytest.mark.parametrize("rows", MAKERS, ids=lambda rows: rows.__name__)
def test_a_gate_at_its_limit_passes_seldom_in_its_worst_cells(rows: Callable[..., Iterator[Row]]) -> None:
    found = [row for row in rows(RUNS, **FEWER.get(rows, {})) if not row.broken]
    assert found
    assert [row for row in found if clearly_above(row)] == []


@pytest.mark.thorough
@pytest.mark.parametrize("rows", FEWER, ids=lambda rows: rows.__name__)
def test_a_gate_at_its_limit_passes_at_most_five_percent_of_the_time(rows: Callable[[int], Iterator[Row]]) -> None:
    assert [row for row in rows(RUNS) if not row.broken and clearly_above(row)] == []


@pytest.mark.parametrize(("runs", "most"), [(300, 200), pytest.param(RUNS, 5000, marks=pytest.mark.thorough)])
def test_no_kind_of_score_at_its_limit_passes_more_often(runs: int, most: int) -> None:
    rows = list(score_rows(runs, lambda cell: cell.examples <= most))
    assert {row.gate for row in rows} >= {
        "mae", "rmse", "r2", "outputs", "own, 0 or 1", "macro_f1", "perplexity", "accuracy",
    }  # fmt: skip
    assert [row for row in rows if clearly_above(row)] == []


@pytest.mark.parametrize(("runs", "least"), [(150, 200), pytest.param(RUNS, 0, marks=pytest.mark.thorough)])
def test_nor_does_one_of_several_answers_an_example(runs: int, least: int) -> None:
    """Of 59 and many examples a loss is seldom passed; of 200 it would be."""
    chosen = {200} if least else {59, 200, 500, 1000}
    rows = list(score_rows(runs, lambda cell: cell.examples in chosen, several))
    counted = {"mean_iou", "dice", "token_accuracy", "entity_f1", "multilabel_macro_f1"}
    assert {row.gate for row in rows} == counted | {"character_error_rate", "recall_at_1"}
    assert [row for row in rows if clearly_above(row)] == []


def test_students_t_breaks_the_promise_on_scores_that_are_not_right_or_wrong() -> None:
    found = {
        cell.name: rates(cell, LIMIT, 200, 0)[1]
        for cell in cells()
        if cell.score in ("mae", "perplexity") and cell.examples == 59
    }
    assert all(by_t is not None and by_t > 40 for by_t in found.values())


@pytest.mark.parametrize(
    "score", ["mae", "r2", "own, 0 or 1", "own, range [0, 1]", "macro_f1", "perplexity", "mean_iou", "entity_f1"]
)
def test_what_is_shown_is_what_the_bound_clears(score: str) -> None:
    """The simulation asks for the limit alone."""
    for cell in [cell for cell in [*cells(), *several()] if cell.score == score and 200 <= cell.examples <= 1000][:2]:
        rng = np.random.default_rng(8)
        for kept in (LIMIT, ORDINARY, 1.0) if score not in ("macro_f1", "mean_iou") else (LIMIT, ORDINARY):
            scores = cell.ordinary(rng, cell.examples, kept)
            assert shows(scores, LIMIT, ALPHA) == (retention_interval(scores, ALPHA).lower >= LIMIT)


def test_enough_examples_would_be_enough() -> None:
    rng = np.random.default_rng(9)
    pooled = [cell for cell in several() if cell.score in ("mean_iou", "entity_f1")]
    for cell in (cell for cell in [*cells(), *pooled[:10]] if cell.examples in (200, 300)):
        scores = cell.ordinary(rng, cell.examples, ORDINARY)
        needed = examples_needed(scores, LIMIT, ALPHA)
        if needed is not None and needed > cell.examples:
            assert not shows(scores, LIMIT, ALPHA)
            assert shows(scores, LIMIT, ALPHA, 1.05 * needed / cell.examples)


def test_the_simulation_is_strong_enough_to_see_a_broken_promise() -> None:
    found = {row.noise: row for row in itertools.chain(speedup_rows(RUNS), memory_rows(RUNS))}
    for noise in (
        "rounds correlated 0.4",
        "slow mode of the variant alone, 20 %",
        "arms unequal by 5 %",
    ):
        assert clearly_above(found[noise])


def test_every_noise_of_a_gate_has_a_row() -> None:
    assert {row.noise for row in speedup_rows(10)} == set(TIMINGS)


def test_attempts_that_are_not_counted_break_the_promise() -> None:
    rows = list(rerun_rows(500))
    assert [row.noise for row in rows if not row.broken] == list(RERUN)
    assert all(clearly_above(row) == bool(row.broken) for row in rows)


def test_rules_that_take_iterations_for_samples_break_the_promise() -> None:
    found = list(peers(500))
    within = {peer.rule for peer in found if peer.machine == "shared runner" and not clearly_above(peer.at_limit)}
    assert within == {"gatekeeper", "t over rounds, interleaved, once after 24"}
    assert all(peer.faster > 0.8 for peer in found)
    assert peers_table(found).count("\n") == 2 + len({peer.rule for peer in found})


def test_a_coarse_clock_takes_more_than_a_few_different_ratios() -> None:
    found = [clocks.rates(process, tick, 2.0, 200).max(axis=0) for process in clocks.PROCESSES.values() for tick in (0.1, 0.2)]
    worst = dict(zip(clocks.RULES, np.max(found, axis=0), strict=True))
    assert {name for name, rate in worst.items() if rate <= 0.05} == {"four of each arm", "half a tick charged"}
    fine = clocks.rates(clocks.PROCESSES["normal, 5 %"], 0.0, 2.2, 200)
    assert fine.min() > 0.95


def test_a_faster_model_passes_more_often() -> None:
    lines = [line.split(" | ") for line in power_table(500).splitlines()[2:]]
    shares = [float(line[2].rstrip("%")) for line in lines if line[0] == "| normal"]
    assert shares == sorted(shares)
    assert shares[0] == 0 and shares[-1] > 95


def test_the_summary_shows_the_worst_cell_whose_assumptions_hold() -> None:
    rows = [
        Row("a", "calm", 10, 1000),
        Row("a", "wild", 30, 1000),
        Row("a", "hopeless", 300, 1000, "sense"),
        Row("b", "calm", 0, 1000),
    ]
    assert summary(rows).splitlines()[2:] == ["| a | 2 | wild | 3.00% | 4.05% |", "| b | 1 | calm | 0.00% | 0.30% |"]


def test_a_row_says_what_it_can_show() -> None:
    row = Row("gate", "noise", 0, 299)
    assert row.upper == pytest.approx(0.00997, abs=1e-4)
    assert row.met
    assert Row("gate", "noise", 10, 10).upper == 1.0
    assert not Row("gate", "noise", 90, 2000).met
    assert "**missed**" in table([Row("gate", "noise", 90, 2000)])


def test_the_full_version_exists() -> None:
    assert (Path(__file__).parents[1] / "benchmarks/test_bench_false_pass.py").exists()
