from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.lazily import Lazily
from kit.sample_load import requests, under_load
from simulation.rows import clearly_above
from simulation.under_load import passes

from gatekeeper.gates import p99_latency
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.quantile import quantile

stats = Lazily("scipy.stats")


def judge(latency_ms: Any, max_ms: float | None = 10.0, failed: Any = None, alpha: float = ALPHA, **load: Any) -> Decision:
    evidence = under_load(alpha, server=requests(latency_ms, failed), target_qps=100.0, **load)
    return p99_latency.judge(p99_latency.Config(max_ms=max_ms), evidence)


def latencies(n: int = 2000, slow: float = 0.0, seed: int = 0) -> np.ndarray:
    """About a millisecond, and 50 ms for a share of the requests."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < slow, 50.0, 1 + 0.1 * rng.random(n))


def test_a_fast_variant_passes_and_says_how_fast():
    found = judge(latencies())
    assert found.verdict is Verdict.PASS
    assert found.observed == pytest.approx(1.099, abs=0.01)
    assert found.limit == 10
    assert found.reason == "p99 1.1 ms: 0.00% of 2000 requests at 100/s over 10 ms"
    assert found.details == {"share": 0.0, "tau": 1.0, "requests": 2000, "needed": None}


def test_a_slow_variant_fails_and_says_by_how_much():
    found = judge(latencies(slow=0.05))
    assert found.verdict is Verdict.FAIL
    assert found.observed == 50
    assert found.reason.startswith("p99 50 ms: 5.")
    assert found.reason.endswith("% of 2000 requests at 100/s over 10 ms")


def test_a_variant_at_the_limit_is_open_and_says_what_would_decide():
    found = judge(latencies(slow=0.009))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.details["needed"] > 2000
    assert f"{found.details['needed']} requests would decide: raise `testing.load.duration`" in found.reason


def test_exactly_one_percent_is_never_decided():
    found = judge(np.where(np.arange(2000) % 100 == 0, 50.0, 1.0))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "no number of requests would decide" in found.reason


def test_fast_failures_are_over_the_limit():
    n = 2000
    failed = np.arange(n) % 25 == 0
    found = judge(np.ones(n), failed=failed)
    assert found.verdict is Verdict.FAIL
    assert (found.observed, found.upper) == (None, None)
    assert found.reason == "no p99, more than 1 % have no answer: 4.00% of 2000 requests at 100/s (80 failed) over 10 ms"


def test_refused_requests_are_over_the_limit_and_counted_apart():
    server = requests(np.ones(2000), shed=np.arange(2000) % 25 == 0)
    found = p99_latency.judge(p99_latency.Config(max_ms=10), under_load(server=server))
    assert found.verdict is Verdict.FAIL
    assert "80 refused because the queue was full" in found.reason
    assert "failed" not in found.reason


@pytest.mark.parametrize("alpha", [ALPHA, 0.005, 1e-4], ids=["first attempt", "second", "eighth"])
@pytest.mark.parametrize("n", [10, 500, 5000])
def test_nothing_answered_is_a_failure_at_every_attempt(n: int, alpha: float):
    found = judge(np.ones(n), failed=np.ones(n, bool), alpha=alpha)
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("no p99")


def test_too_few_requests_are_open():
    found = judge(latencies(999))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "1000 requests would decide" in found.reason


@pytest.mark.parametrize(("n", "bounded"), [(200, False), (400, True)])
def test_where_too_few_requests_bound_nothing_there_is_no_bound(n: int, bounded: bool):
    """One that is only the longest latency seen would be what a waiver is held against."""
    assert (judge(latencies(n)).upper is not None) == bounded


def test_nothing_sent_is_an_error():
    found = judge([])
    assert (found.verdict, found.reason) == (Verdict.ERROR, "no request was sent: the server scenario did not run")


# --- a limit of the baseline's -------------------------------------------------------------------------------------------


def test_without_a_limit_it_is_what_the_baselines_p99_may_be():
    baseline = requests(4 * latencies(seed=1))
    found = judge(latencies(), None, baseline=baseline)
    assert found.verdict is Verdict.PASS
    assert found.limit == quantile(baseline, ALPHA).upper / 1e6
    assert "over 4.4 ms, what the baseline's p99 may be at that rate" in found.reason
    assert found.measured_limit
    assert judge(5 * latencies(), None, baseline=baseline).verdict is Verdict.FAIL


def test_the_baselines_limit_is_no_looser_in_a_later_attempt():
    baseline = requests(4 * np.random.default_rng(0).exponential(size=4000))
    limits = [judge(latencies(), None, alpha=alpha, baseline=baseline).limit for alpha in (ALPHA, 0.005, 1e-4)]
    assert len(set(limits)) == 1


def test_a_baseline_that_fails_itself_sets_no_limit():
    found = judge(latencies(), None, baseline=requests(np.ones(1000), failed=np.arange(1000) % 10 == 0))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "the baseline itself fails" in found.reason
    assert "`testing.load.p99_ms`" in found.reason


@pytest.mark.parametrize("baseline", [None, requests([])], ids=["not measured", "nothing sent"])
def test_without_any_limit_there_is_an_error(baseline: Any):
    found = judge(latencies(), None, baseline=baseline)
    assert found.verdict is Verdict.ERROR
    assert "there is no limit" in found.reason


# --- bounds --------------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.001, 1e4), min_size=1, max_size=300), st.sampled_from([0.04, 0.005]), st.data())
def test_bounds_are_in_order_however_few_the_requests(latency: list[float], alpha: float, data: st.DataObject):
    failed = data.draw(st.lists(st.booleans(), min_size=len(latency), max_size=len(latency)))
    found = quantile(requests(latency, failed), alpha)
    assert 0 <= found.lower <= found.observed <= found.upper


@pytest.mark.parametrize("n", [1000, 3000])
def test_bounds_miss_the_true_p99_as_rarely_as_they_say(n: int):
    true, runs = -math.log(0.01), 1000
    draws = np.random.default_rng(n).standard_exponential((runs, n))
    found = [quantile(requests(row), 0.05) for row in draws]
    for missed in (sum(f.upper / 1e6 < true for f in found), sum(f.lower / 1e6 > true for f in found)):
        assert stats.binomtest(missed, runs, 0.05, alternative="greater").pvalue > 0.001
        assert missed > 0.01 * runs  # and are no wider than that takes


# --- properties and the promise ------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.integers(1000, 3000), st.sampled_from([0.0, 0.003, 0.01, 0.03]), st.integers(0, 400))
def test_more_late_requests_never_turn_a_failure_into_a_pass(seed: int, n: int, slow: float, more: int):
    rng = np.random.default_rng(seed)
    before = latencies(n, slow, seed)
    after = before.copy()
    after[rng.choice(n, min(more, n), replace=False)] = 50.0
    verdicts = [judge(each).verdict for each in (before, after)]
    assert verdicts != [Verdict.FAIL, Verdict.PASS]
    assert (after > 10).mean() < 0.01 or verdicts[1] is not Verdict.PASS


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(1, 100), st.floats(1, 100))
def test_a_looser_limit_never_turns_a_pass_into_a_failure(seed: int, one: float, other: float):
    latency = np.random.default_rng(seed).exponential(5, 1500)
    strict, loose = (judge(latency, limit).verdict for limit in sorted((one, other)))
    assert (strict, loose) not in {(Verdict.PASS, Verdict.FAIL), (Verdict.PASS, Verdict.INCONCLUSIVE)}


@pytest.mark.parametrize("burst", [1, 3, 10])
def test_a_variant_slightly_over_one_percent_seldom_passes(burst: int):
    row = passes(judge_flags, burst, 0.0105, n=10_000 if burst == 10 else 3000)
    assert not clearly_above(row), row.rate


def test_a_variant_well_within_the_limit_mostly_passes():
    assert passes(judge_flags, 1, 0.002, n=3000).rate > 0.95


def test_a_variant_well_over_the_limit_mostly_fails():
    failed = sum(judge(latencies(3000, 0.03, seed)).verdict is Verdict.FAIL for seed in range(100))
    assert failed > 95


def judge_flags(over: np.ndarray) -> Verdict:
    return judge(np.where(over, 50.0, 1.0)).verdict
