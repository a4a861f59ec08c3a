"""Models under load behind real servers: good ones, and ones that delay, err, leak, die or never come up."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
from kit.sample_load import ARTIFACT
from kit.subjects import Shelf, left, odd_shelf

from gatekeeper.errors import NotMeasured
from gatekeeper.gates import endurance, p99_latency
from gatekeeper.gates._base import gate as gate_named
from gatekeeper.load import soak
from gatekeeper.load.profile import LoadProfile, SoakProfile
from gatekeeper.load.run import UnderLoad, load_tests
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.stats.looks import ALPHA

serial = pytest.mark.serial  # what waits for a core has other latencies
RATE = 200.0
BEARS = endurance.Config(max_slowdown=1.0)  # a busy core makes one of two servers of the same model slower by a third
PROFILE = LoadProfile(target_qps=RATE, p99_ms=100.0, duration="6s", scenarios=("server",))


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """After a long run two servers are asked in turns, here for less long: a fifth of a second has a hundred answers."""
    with odd_shelf(tmp_path_factory.mktemp("odd"), timeout_s=15.0) as shelf, pytest.MonkeyPatch.context() as patch:
        patch.setattr(soak, "BLOCK_S", 0.2)
        yield shelf


@pytest.fixture(scope="module")
def baseline(odd: Shelf) -> UnderLoad:
    return under_load(odd, "well", None)


def under_load(odd: Shelf, ill: str, baseline: UnderLoad | None, profile: LoadProfile = PROFILE, soak: str = "") -> UnderLoad:
    found = load_tests(odd.odd(ill), profile, SoakProfile(duration=soak) if soak else None, "smoke", 7, baseline)
    assert left() == [], "a process outlived its load test"
    return found


def judged(found: UnderLoad, gate: str, max_ms: float | None = 100.0) -> Decision:
    evidence = Evidence(artifact=ARTIFACT, alpha=ALPHA, checks=found.tested.checks, load=found.evidence)
    own = {"p99_latency": p99_latency.Config(max_ms=max_ms), "endurance": BEARS}
    config = own.get(gate, gate_named(gate).DEFAULT)
    return gate_named(gate).judge(config, evidence)


@serial
def test_the_unmodified_one_passes_also_after_a_long_run(odd: Shelf, baseline: UnderLoad) -> None:
    found = under_load(odd, "well", baseline, soak="12s")
    for gate in ("p99_latency", "error_rate", "endurance"):
        assert judged(found, gate).verdict is Verdict.PASS, judged(found, gate)
    assert [line.scenario for line in found.tested.load] == ["server", "soak"]
    server = found.tested.load[0]
    assert server.requests >= 1000 and server.errors == server.shed == 0 and server.meets
    assert server.target_qps == RATE and server.completed_qps == pytest.approx(RATE, rel=0.15)
    assert server.p50_ns and server.p95_ns and server.p99_ns and server.p50_ns <= server.p95_ns <= server.p99_ns


@serial
@pytest.mark.parametrize(("ill", "gate"), [("delays", "p99_latency"), ("errs", "error_rate")])
def test_an_injected_fault_fails_its_gate_and_no_other(ill: str, gate: str, odd: Shelf, baseline: UnderLoad) -> None:
    found = under_load(odd, ill, baseline)
    other = {"p99_latency": "error_rate", "error_rate": "throughput"}[gate]
    assert judged(found, gate).verdict is Verdict.FAIL, judged(found, gate)
    assert judged(found, other).verdict is not Verdict.FAIL, judged(found, other)
    assert not found.tested.load[0].meets


def test_a_model_that_leaks_fails_endurance(odd: Shelf, baseline: UnderLoad) -> None:
    decision = judged(under_load(odd, "swells", baseline, soak="10s"), "endurance")
    assert decision.verdict is Verdict.FAIL, decision
    assert "memory +" in decision.reason and "of at most 5%" in decision.reason


@pytest.mark.thorough
def test_rate_and_limit_are_the_baselines_where_none_are_declared(odd: Shelf) -> None:
    profile = LoadProfile(duration="3s")
    first = under_load(odd, "well", None, profile)
    assert [line.scenario for line in first.tested.load] == ["single_stream", "offline", "server"]
    assert first.bound_ms and first.target_qps > 0
    second = under_load(odd, "slow", first, profile)
    assert (second.target_qps, second.bound_ms) == (first.target_qps, first.bound_ms)
    assert judged(second, "p99_latency", None).verdict is Verdict.FAIL


def test_an_absurd_rate_says_what_the_model_bears(odd: Shelf, baseline: UnderLoad) -> None:
    """Nobody can send as much, and nobody waits for it."""
    found = under_load(odd, "well", baseline, LoadProfile(target_qps=1e6, p99_ms=200.0, duration="2s", scenarios=("server",)))
    [note] = found.tested.notes
    assert note.startswith("1e+06 requests/s are declared; it answers at most ")
    assert judged(found, "p99_latency").verdict is Verdict.FAIL


@pytest.mark.thorough
def test_in_the_generators_own_process(odd: Shelf) -> None:
    profile = LoadProfile(target_qps=RATE, p99_ms=200.0, duration="6s", over="in_process")
    first = under_load(odd, "well", None, profile)
    assert {line.over for line in first.tested.load} == {"in_process"}
    assert judged(under_load(odd, "errs", first, profile), "error_rate").verdict is Verdict.FAIL


def test_a_server_that_never_becomes_ready_is_an_error(odd: Shelf, baseline: UnderLoad) -> None:
    with pytest.raises(NotMeasured, match="no such kernel"):
        under_load(odd, "never", baseline)
    assert left() == []


def test_no_place_to_write_is_an_error(odd: Shelf, baseline: UnderLoad, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(NotMeasured, match="No space left on device"):
        under_load(odd, "well", baseline)
    assert left() == []


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("which", ["gatekeeper.serve.child", "gatekeeper.serve.worker"])
def test_killing_the_server_or_its_session_under_load_is_no_pass(which: str, odd: Shelf, baseline: UnderLoad) -> None:
    done = threading.Event()

    def kill() -> None:
        """Once a second, after the model was seen to answer."""
        while not done.wait(1.0):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    if which in process.cmdline():
                        process.send_signal(signal.SIGKILL)

    # A capacity is found first, in 3 seconds; what is killed then is killed in the middle of the rest.
    killer = threading.Timer(5.0, kill)
    killer.start()
    try:
        found = under_load(odd, "well", baseline)
    except NotMeasured as error:
        assert str(error)
    else:
        # Requests that a session dies under are given to the next one: late, but answered.
        assert {judged(found, "error_rate").verdict, judged(found, "p99_latency").verdict} != {Verdict.PASS}
    finally:
        done.set()
        killer.join()
    assert left() == []
