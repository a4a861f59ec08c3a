"""Variants behind a real server, good and bad ones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from kit.subjects import Shelf, by_verdict, left, node, odd_shelf, reason, write_onnx

from gatekeeper.checks.integration.aftermath import MARGIN_NS, Aftermath
from gatekeeper.checks.integration.client.traffic import Sent
from gatekeeper.checks.integration.run import integration_checks
from gatekeeper.checks.outcome import Broken
from gatekeeper.data.prepared import write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.records.base import Verdict
from gatekeeper.serve.behind import served
from gatekeeper.serve.child import Server


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[Shelf]:
    with odd_shelf(tmp_path, timeout_s=15.0) as shelf:
        yield shelf


def ended(pid: int) -> bool:
    """Whether a process that was told to end does, soon."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_a_good_variant_passes_everything(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_prepared(tmp_path / "data", {"x": np.random.default_rng(2).standard_normal((40, 16)).astype(np.float32)}, None)
    found = integration_checks(shelf.subject(shelf.original), "full_pipeline", tmp_path / "data")
    assert by_verdict(found)[Verdict.PASS] == {
        "ready", "metadata", "answers", "bad_request", "session_killed", "server_killed", "drained", "two_servers",
    }, [c for c in found if c.verdict is not Verdict.PASS]  # fmt: skip
    assert "46 of 46 requests as binary tensors and 46 as JSON" in reason(found, "answers")
    assert all(check.kind == "integration_tests" for check in found)
    assert left() == []


@pytest.mark.thorough
def test_smoke_is_less(shelf: Shelf) -> None:
    found = integration_checks(shelf.subject(shelf.original), "smoke")
    assert by_verdict(found)[Verdict.PASS] == {"ready", "metadata", "answers", "bad_request", "stops"}


def test_answers_that_differ_from_the_sessions_fail(shelf: Shelf, tmp_path: Path) -> None:
    plain = [node("MatMul", ["x", "w"], ["a"]), node("RandomNormalLike", ["a"], ["r"]), node("Add", ["a", "r"], ["y"])]
    found = integration_checks(shelf.subject(write_onnx(tmp_path / "noise.onnx", plain)), "smoke")
    assert "differs from the session's" in reason(found, "answers")
    assert by_verdict(found)[Verdict.FAIL] == {"answers", "bad_request"}


def test_numbers_that_json_cannot_say_are_no_failure(shelf: Shelf, tmp_path: Path) -> None:
    nan = [node("MatMul", ["x", "w"], ["a"]), node("Sqrt", ["a"], ["y"])]
    found = integration_checks(shelf.subject(write_onnx(tmp_path / "nan.onnx", nan)), "smoke")
    assert by_verdict(found)[Verdict.FAIL] == set()
    assert "of NaN or infinity" in reason(found, "answers")


def test_a_model_that_crashes_on_the_third_request_says_so(odd: Shelf) -> None:
    found = integration_checks(odd.odd("third"), "smoke")
    assert "answers" in by_verdict(found)[Verdict.FAIL]
    assert "SIGABRT" in reason(found, "answers") or "process died" in reason(found, "answers")
    assert left() == []


def test_a_server_that_never_becomes_ready(odd: Shelf) -> None:
    found = integration_checks(odd.odd("never"), "full_pipeline")
    assert by_verdict(found)[Verdict.FAIL] == {"ready"}
    assert "no such kernel" in reason(found, "ready")
    assert by_verdict(found)[Verdict.ERROR] == {check.name for check in found} - {"ready"}
    assert left() == []


def test_a_server_that_takes_too_long_is_ended(odd: Shelf) -> None:
    with Server(served(odd.odd()), odd.folder) as server:
        with pytest.raises(NotMeasured, match="not ready within 0 s"):
            server.wait_ready(0.001)
        assert not server.alive


def test_a_request_that_went_wrong_is_named() -> None:
    sent = [Sent(0, 1, "right"), Sent(1, 2, "lost", "ConnectionResetError")]
    Aftermath(sent[:1], 5).none("lost")
    with pytest.raises(Broken, match="1 of 2 requests went wrong; the first was lost: ConnectionResetError"):
        Aftermath(sent, 5).none("wrong", "lost")


def test_traffic_in_which_nothing_was_answered_has_tested_nothing() -> None:
    acted = 10 * MARGIN_NS
    before, during, after = (Sent(begin, end, "right") for begin, end in ((0, 9), (9, acted + 1), (acted + 2, acted + 3)))
    Aftermath([before, during, after], acted).answered()
    Aftermath([before, during], acted).answered(after=False)
    for sent, said in (([during, after], "before"), ([before, during], "afterwards"), ([Sent(0, 9, "refused"), after], "before")):
        with pytest.raises(Broken, match=f"no request was answered {said}"):
            Aftermath(sent, acted).answered()
    assert Aftermath([before, during, after], acted).in_flight() == 1
    assert Aftermath([before, Sent(acted - 1, acted, "lost"), after], acted).accepted().sent == [before]


def test_what_a_child_server_tells_and_leaves(shelf: Shelf) -> None:
    with Server(served(shelf.subject(shelf.original)), shelf.folder) as server:
        server.wait_ready(60)
        [session] = server.session_pids()
        assert server.memory() > 10e6
        server.kill()
        assert server.memory() == 0
    assert ended(session)
    taken = Server(served(shelf.subject(shelf.original), host="203.0.113.1"), shelf.folder)
    with taken, pytest.raises(NotMeasured, match="cannot listen there"):
        taken.wait_ready(60)
