from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.sample_load import soak, under_load
from simulation.endurance import growing
from simulation.rows import Row, clearly_above

from gatekeeper.gates import endurance
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.looks import ALPHA


def judge(limits: dict[str, float] | None = None, alpha: float = ALPHA, **run: Any) -> Decision:
    return endurance.judge(endurance.Config(**(limits or {})), under_load(alpha, soak=soak(**run)))  # type: ignore[arg-type]


def test_a_level_run_passes_and_says_what_it_looked_at():
    found = judge()
    assert found.verdict is Verdict.PASS
    assert found.observed == pytest.approx(0, abs=0.005)
    assert found.reason.startswith("over 60s: memory ")
    assert "of at most 5%, latency beside a fresh server " in found.reason
    assert "failed" not in found.reason
    assert found.details["errors"] == 0
    assert abs(found.details["slowdown"]) < 0.05


def test_a_leak_fails_and_says_how_large():
    found = judge(memory=1e8 * np.linspace(1, 1.3, 240))
    assert found.verdict is Verdict.FAIL
    assert found.observed == pytest.approx(0.26, abs=0.01)  # of the median
    assert "memory +26.1% (+26.1% to +26.1%) of at most 5%" in found.reason


def test_a_server_that_gives_memory_back_passes():
    assert judge(memory=1e8 * np.linspace(1.3, 1, 240)).verdict is Verdict.PASS


def test_memory_that_is_taken_once_at_the_start_is_no_leak():
    assert judge(memory=np.r_[np.full(10, 8e7), np.full(230, 1e8)]).verdict is Verdict.PASS


def test_a_server_that_became_slower_than_a_fresh_one_fails():
    found = judge(slower=1.5 + 0.03 * np.random.default_rng(0).standard_normal(10))
    assert found.verdict is Verdict.FAIL
    assert found.details["slowdown"] == pytest.approx(0.5, abs=0.05)
    assert "of at most 25%" in found.reason


def test_a_waiver_of_a_leak_does_not_cover_what_else_fails():
    """Waivers are held against the upper bound, which is that of memory."""
    leak = 1e8 * (1 + 0.08 * np.linspace(-0.5, 0.5, 240))
    assert judge(memory=leak).upper == pytest.approx(0.08, abs=0.001)
    assert judge(memory=leak, slower=np.full(10, 2.0)).upper is None
    assert judge(memory=leak, failed=np.arange(4000) >= 2500).upper is None


def test_a_server_that_is_faster_than_a_fresh_one_passes():
    assert judge(slower=np.full(10, 0.7)).verdict is Verdict.PASS


def test_a_noisy_machine_leaves_it_open_and_is_the_reason():
    found = judge(slower=np.exp(0.8 * np.random.default_rng(0).standard_normal(10)))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.endswith("; the machine is too noisy to tell: use a quieter one, or raise `max_slowdown`")


@pytest.mark.parametrize("slower", [[], [1.0], [math.inf] * 10, [1.0] * 9 + [math.nan]], ids=["none", "one", "dead", "NaN"])
def test_an_unknown_latency_never_passes(slower: list[float]):
    assert judge(slower=slower).verdict is Verdict.INCONCLUSIVE


def test_turns_that_are_not_pairs_say_nothing():
    found = replace(soak(), fresh_ms=[2.0] * 7)
    assert endurance.judge(endurance.DEFAULT, under_load(soak=found)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("readings", [0, 1, 29])
def test_too_few_readings_of_memory_leave_it_open(readings: int):
    found = judge(memory=np.full(readings, 1e8))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "memory not known" in found.reason
    assert found.reason.endswith("; raise `testing.soak.duration`")
    assert (found.observed, found.lower, found.upper) == (None, None, None)


def test_errors_that_come_by_the_end_fail():
    found = judge(failed=np.random.default_rng(0).random(8000) < np.linspace(0, 0.1, 8000))
    assert found.verdict is Verdict.FAIL
    assert "of the second half failed, of at most 1%" in found.reason


def test_errors_of_the_first_half_are_not_growth():
    assert judge(failed=np.arange(8000) < 200).verdict is Verdict.PASS


@pytest.mark.parametrize("limit", [0.001, 0.01, 0.2])
def test_a_server_that_ends_halfway_fails(limit: float):
    found = judge({"max_errors": limit}, failed=np.arange(400) >= 200)
    assert found.verdict is Verdict.FAIL
    assert "100.00% of the second half failed" in found.reason


@pytest.mark.parametrize("gone", [0.03, 0.1, 0.4])
def test_one_outage_in_the_second_half_never_passes(gone: float):
    n = 4000
    found = judge(failed=(np.arange(n) >= 0.55 * n) & (np.arange(n) < (0.55 + gone) * n))
    assert found.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)
    assert "of the second half failed" in found.reason


def test_few_answers_are_no_load():
    found = judge(failed=np.zeros(29, bool))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == "only 29 requests were answered, 30 are needed; raise `testing.soak.duration`"
    assert judge(failed=np.zeros(30, bool)).verdict is Verdict.PASS


def test_nothing_answered_is_an_error():
    for failed in (np.zeros(0, bool), np.ones(100, bool)):
        found = judge(failed=failed)
        assert (found.verdict, found.reason) == (Verdict.ERROR, f"the long run answered none of its {failed.size} requests")


def test_a_run_that_was_not_is_an_error():
    found = endurance.judge(endurance.DEFAULT, under_load())
    assert (found.verdict, found.reason) == (Verdict.ERROR, "the long run did not run")


def test_the_reason_names_what_would_decide_each_open_part():
    found = judge(memory=[], slower=[])
    assert found.reason.count("`testing.soak.duration`") == 1
    assert "max_slowdown" in found.reason


# --- properties and the promise ------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 0.2), st.floats(0, 0.2))
def test_more_growth_never_turns_a_failure_into_a_pass(seed: int, one: float, other: float):
    less, more = (judge(memory=next(growing(1, drift, seed=seed, n=60))).verdict for drift in sorted((one, other)))
    better = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]
    assert better.index(less) <= better.index(more)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 400))
def test_more_errors_never_turn_a_failure_into_a_pass(seed: int, more: int):
    rng = np.random.default_rng(seed)
    before = rng.random(2000) < 0.01
    after = before.copy()
    after[rng.choice(np.arange(1000, 2000), more, replace=False)] = True
    assert [judge(failed=each, memory=np.full(40, 1e8)).verdict for each in (before, after)] != [Verdict.FAIL, Verdict.PASS]


@pytest.mark.parametrize("alike", [0.0, 0.8])
def test_a_leak_exactly_at_the_limit_seldom_passes(alike: float):
    runs = 80
    passed = sum(judge(memory=held).verdict is Verdict.PASS for held in growing(runs, 0.05, alike))
    assert not clearly_above(Row("endurance", f"memory at the limit, alike {alike}", passed, runs))


def test_a_slowdown_exactly_at_the_limit_seldom_passes():
    runs, steady = 400, np.full(40, 1e8)
    ratios = 1.25 * np.exp(0.1 * np.random.default_rng(3).standard_normal((runs, 10)))
    passed = sum(judge(memory=steady, slower=row).verdict is Verdict.PASS for row in ratios)
    assert not clearly_above(Row("endurance", "slowdown at the limit", passed, runs))
    assert passed > 0, "and is no wider than that takes"


def test_a_run_without_growth_mostly_passes():
    found = [judge(memory=held).verdict for held in growing(20, 0.0, 0.8, n=120)]
    assert found.count(Verdict.PASS) > 16
