"""The gates on the checks of the testing stage: unit_tests, integration_tests, security_tests and overload."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.sample_load import ARTIFACT, check

from gatekeeper.gates._base import gate, names
from gatekeeper.gates._checks import MOST_NAMED
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.tested import Check

PASS, FAIL, OPEN, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIP
KINDS = {"unit_tests": "unit_tests", "integration_tests": "integration_tests", "security_tests": "security_tests"}
KINDS |= {"overload": "load_tests"}
any_gate = pytest.mark.parametrize("name", list(KINDS))


def judge(name: str, *checks: Check, max_failed: int = 0) -> Decision:
    module = gate(name)
    return module.judge(module.Config(max_failed=max_failed), Evidence(artifact=ARTIFACT, checks=list(checks)))  # type: ignore[call-arg]


def of(name: str, verdict: Verdict, title: str = "opens", reason: str = "") -> Check:
    return check(title, verdict, reason, KINDS[name])


def test_every_gate_on_checks_is_tested_here():
    assert {name for name in names() if gate(name).BASIS == "checks"} == set(KINDS)


@any_gate
def test_every_check_that_passes_is_a_pass(name: str):
    found = judge(name, *[of(name, PASS)] * 7)
    assert (found.verdict, found.reason) == (PASS, "7 of 7 checks passed")
    assert (found.lower, found.observed, found.upper) == (0.0, 0.0, 0.0)


@any_gate
def test_one_failure_is_a_failure_and_is_named(name: str):
    found = judge(name, of(name, PASS), of(name, FAIL, "zeros", "NaN in probs"))
    assert (found.verdict, found.reason, found.observed) == (FAIL, "1 of 2 checks failed: zeros: NaN in probs", 1.0)


@any_gate
def test_of_many_failures_a_few_are_named_and_the_others_counted(name: str):
    found = judge(name, *[of(name, FAIL, f"c{i}", "why") for i in range(MOST_NAMED + 4)])
    assert found.reason == "7 of 7 checks failed: c0: why; c1: why; c2: why; and 4 more"


@any_gate
def test_failures_that_are_allowed_pass_and_are_still_named(name: str):
    checks = [of(name, PASS), of(name, FAIL, "zeros", "NaN"), of(name, FAIL, "denormals", "slow")]
    found = judge(name, *checks, max_failed=2)
    assert (found.verdict, found.reason) == (PASS, "1 of 3 checks passed; failed: zeros: NaN; denormals: slow")
    assert judge(name, *checks, max_failed=1).verdict is FAIL


@any_gate
def test_where_nothing_passed_nothing_is_allowed(name: str):
    assert judge(name, of(name, FAIL), of(name, FAIL), max_failed=5).verdict is FAIL


@any_gate
@pytest.mark.parametrize("verdict", [ERROR, OPEN])
def test_a_check_that_could_not_run_is_an_error_however_many_may_fail(name: str, verdict: Verdict):
    for allowed in (0, 5):
        found = judge(name, of(name, PASS), of(name, verdict, "answers", "the port is taken"), max_failed=allowed)
        assert (found.verdict, found.reason) == (ERROR, "1 of 2 checks could not run: answers: the port is taken")


@any_gate
def test_a_failure_counts_also_where_another_could_not_run(name: str):
    assert judge(name, of(name, ERROR), of(name, FAIL)).verdict is FAIL


@any_gate
def test_a_check_that_does_not_apply_is_not_counted(name: str):
    assert judge(name, of(name, PASS), of(name, SKIP)).reason == "1 of 1 checks passed"


@any_gate
def test_none_that_ran_is_an_error(name: str):
    for checks in ([], [of(name, SKIP)]):
        found = judge(name, *checks)
        assert (found.verdict, found.reason) == (ERROR, f"no check of {KINDS[name]} was run")


@any_gate
def test_checks_of_another_kind_say_nothing(name: str):
    other = next(kind for kind in KINDS if KINDS[kind] != KINDS[name])
    assert judge(name, of(other, PASS)).verdict is ERROR
    assert judge(name, of(name, PASS), of(other, FAIL)).verdict is PASS


VERDICTS = st.lists(st.sampled_from([PASS, FAIL, OPEN, ERROR, SKIP]), max_size=12)


@given(VERDICTS, st.integers(0, 3), st.sampled_from([FAIL, OPEN, ERROR]))
def test_one_more_check_that_does_not_pass_never_makes_a_pass(verdicts: list[Verdict], allowed: int, more: Verdict):
    before = [of("unit_tests", verdict) for verdict in verdicts]
    was, now = (judge("unit_tests", *c, max_failed=allowed).verdict for c in (before, [*before, of("unit_tests", more)]))
    assert now is not PASS or was is PASS


@given(VERDICTS, st.integers(0, 20))
def test_in_a_pass_something_passed_and_everything_ran(verdicts: list[Verdict], allowed: int):
    if judge("unit_tests", *[of("unit_tests", verdict) for verdict in verdicts], max_failed=allowed).verdict is PASS:
        assert PASS in verdicts
        assert {*verdicts} <= {PASS, FAIL, SKIP}
        assert verdicts.count(FAIL) <= allowed
