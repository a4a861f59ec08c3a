from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.sample_load import ARTIFACT
from simulation.rows import Row, clearly_above
from simulation.under_load import offline

from gatekeeper.gates import throughput
from gatekeeper.gates.throughput import LEAST, rate
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence, LoadEvidence, Requests
from gatekeeper.records.gates import Decision
from gatekeeper.stats.looks import ALPHA


def judge(done_s: Any, least: float, ok: Any = None, **load: Any) -> Decision:
    evidence = Evidence(artifact=ARTIFACT, alpha=ALPHA, load=LoadEvidence(offline=at_once(done_s, ok), **load))
    return throughput.judge(throughput.Config(min_per_s=least), evidence)


def at_once(done_s: Any, ok: Any = None) -> Requests:
    """Requests that were all there at once, and when each was answered."""
    done = np.asarray(done_s, dtype=float)
    good = np.ones(done.size, bool) if ok is None else np.asarray(ok, dtype=bool)
    nothing = np.zeros(done.size, np.int64)
    return Requests(nothing, np.where(good, done * 1e9, 0).astype(np.int64), nothing, good, np.zeros(done.size, bool))


def steady(per_s: float = 200.0, seconds: float = 5.0, seed: int = 0) -> np.ndarray:
    gaps = np.random.default_rng(seed).gamma(20, 1 / (20 * per_s), int(per_s * seconds))
    return np.cumsum(gaps)


def test_a_fast_variant_passes_and_says_how_fast():
    found = judge(steady(), 150)
    assert found.verdict is Verdict.PASS
    assert found.observed == pytest.approx(200, rel=0.05)
    assert found.reason.endswith("wanted 150/s")
    assert found.lower is not None and found.upper is not None
    assert found.lower <= found.observed <= found.upper


def test_a_slow_variant_fails():
    found = judge(steady(), 300)
    assert found.verdict is Verdict.FAIL
    assert "testing.load.duration" not in found.reason


def test_a_variant_at_the_limit_is_open_and_says_what_to_do():
    found = judge(steady(), 200)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.endswith("; raise `testing.load.duration`")


def test_what_was_not_answered_does_not_count():
    done = steady()
    assert judge(done, 150, ok=np.arange(done.size) % 2 == 0).verdict is Verdict.FAIL


def test_few_answers_say_too_little():
    found = judge(steady()[: LEAST - 1], 1)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert (found.lower, found.upper) == (None, None)
    assert f"{LEAST - 1} answers say too little" in found.reason


def test_answers_that_all_came_in_one_moment_say_too_little():
    assert judge(np.full(500, 0.5), 1).verdict is Verdict.INCONCLUSIVE


def test_the_scenario_that_did_not_run_is_named():
    evidence = Evidence(artifact=ARTIFACT)
    found = throughput.judge(throughput.Config(min_per_s=1), evidence)
    assert found.verdict is Verdict.ERROR
    assert "`testing.load.scenarios`" in found.reason


def test_nothing_answered_is_an_error_and_says_of_how_many():
    found = judge(steady(), 1, ok=np.zeros(1000, bool))
    assert (found.verdict, found.reason) == (Verdict.ERROR, "none of the 1000 requests of the offline scenario was answered")


def test_an_even_rate_is_exact():
    found = rate(at_once(np.arange(1, 401) / 100), ALPHA)
    assert found.observed == pytest.approx(100, rel=0.06)
    assert found.upper - found.lower < 2


def test_one_long_stall_widens_the_bounds():
    done = steady()
    stalled = np.where(done > 2.5, done + 1.0, done)
    calm, shaken = rate(at_once(done), ALPHA), rate(at_once(stalled), ALPHA)
    assert shaken.lower < calm.lower
    assert shaken.upper - shaken.lower > calm.upper - calm.lower


def test_it_applies_only_when_the_file_mentions_it():
    assert throughput.DEFAULT is None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 600), st.floats(1, 400), st.floats(1, 400))
def test_a_higher_limit_never_turns_a_failure_into_a_pass(seed: int, n: int, one: float, other: float):
    done = np.cumsum(np.random.default_rng(seed).exponential(1 / 200, n))
    low, high = (judge(done, limit).verdict for limit in sorted((one, other)))
    better = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]
    assert better.index(low) <= better.index(high)


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.6, 0.8])
def test_a_variant_exactly_at_the_limit_seldom_passes_also_where_slow_phases_last(alike: float):
    runs = 500
    rng = np.random.default_rng(7)
    passed = sum(rate(at_once(done), ALPHA).lower >= 400 for done in offline(rng, runs, 400, alike))
    assert not clearly_above(Row("throughput", f"windows alike {alike}", passed, runs))


def test_a_variant_a_third_faster_mostly_passes():
    rng = np.random.default_rng(8)
    found = [rate(at_once(done), ALPHA).lower >= 300 for done in offline(rng, 200, 400, 0.3)]
    assert np.mean(found) > 0.9
