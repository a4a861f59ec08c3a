from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.sample_load import requests, under_load
from simulation.rows import clearly_above
from simulation.under_load import passes

from gatekeeper.gates import error_rate
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.looks import ALPHA


def judge(failed: Any, limit: float = 0.01, shed: Any = None, alpha: float = ALPHA) -> Decision:
    server = requests(np.ones(len(failed)), failed, shed)
    return error_rate.judge(error_rate.Config(max=limit), under_load(alpha, server=server, target_qps=100.0))


def failing(share: float, n: int = 3000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(n) < share


def test_a_variant_without_errors_passes_and_says_what_is_shown():
    found = judge(failing(0))
    assert found.verdict is Verdict.PASS
    assert (found.observed, found.lower) == (0.0, 0.0)
    assert found.upper == pytest.approx(1 - ALPHA ** (1 / 3000))
    assert found.reason == "0.00% of 3000 requests at 100/s not answered, allowed 1.00%"


def test_two_percent_fail():
    found = judge(np.arange(3000) % 50 == 0)
    assert found.verdict is Verdict.FAIL
    assert found.observed == 0.02
    assert found.lower is not None and 0.01 < found.lower < 0.02
    assert found.reason == "2.00% of 3000 requests at 100/s (60 failed) not answered, allowed 1.00%"


def test_refused_requests_are_not_answered_either():
    found = judge(np.zeros(3000, bool), shed=np.arange(3000) % 50 == 0)
    assert found.verdict is Verdict.FAIL
    assert "60 refused because the queue was full" in found.reason


def test_near_the_limit_it_is_open_and_says_what_would_decide():
    found = judge(failing(0.008))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert f"{found.details['needed']} requests would decide" in found.reason


@pytest.mark.parametrize("limit", [0.001, 0.01, 0.05, 0.5, 0.99])
@pytest.mark.parametrize("n", [20, 400, 5000])
@pytest.mark.parametrize("alpha", [ALPHA, 0.001])
def test_nothing_answered_is_a_failure_whatever_is_allowed(n: int, limit: float, alpha: float):
    assert judge(np.ones(n, bool), limit, alpha=alpha).verdict is Verdict.FAIL


def test_nothing_sent_is_an_error():
    assert judge([]).verdict is Verdict.ERROR


def test_a_server_that_dies_at_the_end_does_not_pass():
    for last in (40, 100, 1000):
        assert judge(np.arange(3000) >= 3000 - last).verdict is not Verdict.PASS


@pytest.mark.parametrize("limit", [0, 1, -0.1, 1.5])
def test_what_is_no_share_is_refused(limit: float):
    import msgspec

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"max": limit}, error_rate.Config)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.0, 0.005, 0.02, 0.1]), st.integers(0, 500), st.sampled_from([0.005, 0.01, 0.05]))
def test_more_errors_never_turn_a_failure_into_a_pass(seed: int, share: float, more: int, limit: float):
    before = failing(share, 2000, seed)
    after = before.copy()
    after[np.random.default_rng(seed).choice(2000, more, replace=False)] = True
    verdicts = [judge(each, limit).verdict for each in (before, after)]
    assert verdicts != [Verdict.FAIL, Verdict.PASS]
    assert after.mean() < limit or verdicts[1] is not Verdict.PASS


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=200), st.sampled_from([0.04, 0.001]))
def test_bounds_are_shares_in_order(failed: list[bool], alpha: float):
    found = judge(failed, alpha=alpha)
    assert found.lower is not None and found.observed is not None and found.upper is not None
    assert 0 <= found.lower <= found.observed <= found.upper <= 1


@pytest.mark.parametrize(("limit", "burst", "n"), [(0.01, 1, 3000), (0.01, 10, 10_000), (0.05, 1, 3000)])
def test_a_variant_slightly_over_the_limit_seldom_passes(limit: float, burst: int, n: int):
    row = passes(lambda over: judge(over, limit).verdict, burst, 1.05 * limit, n)
    assert not clearly_above(row), row.rate
