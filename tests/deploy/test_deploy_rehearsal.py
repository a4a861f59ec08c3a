"""A rollout rehearsed for real: HAProxy, two servers, traffic. All faults, and twenty ramps, are in tests/benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.haproxy import needs_haproxy
from kit.subjects import Shelf, left

from gatekeeper.deploy import haproxy
from gatekeeper.deploy.faults import errors
from gatekeeper.deploy.rehearsal import Terms, rehearse
from gatekeeper.errors import UsageError
from gatekeeper.making.subject import Subject
from gatekeeper.records.base import Verdict
from gatekeeper.records.rollout import Decision
from gatekeeper.stats.rehearsal import HEALTHY, judge_rehearsal
from gatekeeper.stats.rollout import judged

TERMS = Terms(strategy="canary", rate_qps=100.0, p99_ms=250.0)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    yield Shelf(tmp_path_factory.mktemp("rehearsal"))


def model(shelf: Shelf, name: str) -> Subject:
    return shelf.subject(shelf.original, id=name, task="tabular_classification")


@needs_haproxy
def test_a_healthy_ramp_is_promoted_and_errors_are_rolled_back(shelf: Shelf) -> None:
    found = rehearse(model(shelf, "old"), model(shelf, "new"), TERMS, ["errors", HEALTHY])
    assert judge_rehearsal(found, ["errors"])[0] is Verdict.PASS, judge_rehearsal(found, ["errors"])
    faulty, healthy = found.scenarios
    assert faulty.ruling.decision is Decision.ROLLBACK and faulty.ruling.metric in ("error_rate", "p99_latency"), faulty.ruling
    assert faulty.arrived and faulty.lost > 0, "the load generator had errors as well"
    assert healthy.ruling.decision is Decision.PROMOTE and healthy.lost == 0 and healthy.requests > 500
    for each in found.scenarios:
        assert judged(found.limits, len(found.steps), each.windows) == each.ruling
    assert left() == [], "a process outlived its rehearsal"


@needs_haproxy
def test_an_injector_that_does_nothing_is_an_error_and_no_pass(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "inject", lambda scene: None)
    monkeypatch.setattr(errors, "DEADLINE_S", 3.0, raising=False)
    found = rehearse(model(shelf, "old"), model(shelf, "new"), TERMS, ["errors"])
    verdict, reason = judge_rehearsal(found, ["errors"])
    assert verdict is Verdict.ERROR and "errors did not arrive" in reason


def test_a_machine_without_haproxy_is_told_what_to_install(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(haproxy, "PLACES", ())
    monkeypatch.setattr(haproxy, "BROUGHT", "no_such_package")
    with pytest.raises(UsageError, match="Install the package `haproxy`"):
        rehearse(model(shelf, "old"), model(shelf, "new"), TERMS)
