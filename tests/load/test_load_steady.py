"""Traffic at a steady rate until told to stop: every request is accounted for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.subjects import Shelf

from gatekeeper.load.generate import LoadTested
from gatekeeper.load.steady import Steady
from gatekeeper.process.hold import reaching
from gatekeeper.process.isolate import run_job
from gatekeeper.serve.behind import NAME, served
from gatekeeper.serve.child import Server


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    yield Shelf(tmp_path_factory.mktemp("steady"))


def sent(shelf: Shelf, url: str, name: str, **changes: Any) -> tuple[LoadTested, dict[str, Any]]:
    """What became of the traffic; it is stopped at the first request, unless it ends by itself."""
    folder = shelf.space.scratch / name
    folder.mkdir()
    stop, started = folder / "stop", folder / "started"
    values: dict[str, Any] = {
        "scenario": "server", "spec": shelf.subject(shelf.original).spec, "inputs": str(shelf.inputs), "examples": 6,
        "target_qps": 200.0, "duration_s": 60.0, "destination": str(folder / "out.npz"), "folder": str(folder), "url": url,
        "name": NAME, "request_timeout_ms": 5000.0, "stop": str(stop), "started": str(started),
    }  # fmt: skip
    watch = threading.Event()

    def end() -> None:
        while not started.exists() and not watch.wait(0.01):
            pass
        watch.wait(0.5)
        stop.touch()

    thread = threading.Thread(target=end)
    thread.start()
    try:
        request = Steady(**(values | changes))
        answer = run_job(shelf.space.scratch, request, LoadTested, 60, 4 << 30, reaching(shelf.space.scratch))
    finally:
        watch.set()
        thread.join()
    with np.load(Path(values["destination"])) as written:
        return answer, {key: written[key] for key in written.files}


def test_it_stops_when_told_and_every_request_has_its_answer(shelf: Shelf) -> None:
    with Server(served(shelf.subject(shelf.original)), shelf.space.scratch) as server:
        server.wait_ready(60)
        answer, found = sent(shelf, server.url, "well")
    assert answer.requests == answer.answered == found["ok"].size > 0
    assert found["ok"].all() and not found["shed"].any() and (found["latency_ns"] > 0).all()
    assert (np.diff(found["start_ns"]) >= 0).all()


def test_what_nobody_answers_is_lost_and_not_forgotten(shelf: Shelf) -> None:
    answer, found = sent(shelf, "http://127.0.0.1:9", "nobody")
    assert answer.requests == found["ok"].size > 0 and answer.answered == 0
    assert not found["ok"].any() and (found["latency_ns"] == 0).all()


def test_more_than_can_be_on_its_way_is_not_sent(shelf: Shelf) -> None:
    with Server(served(shelf.subject(shelf.original)), shelf.space.scratch) as server:
        server.wait_ready(60)
        answer, _ = sent(shelf, server.url, "flood", target_qps=1e5, outstanding=4, duration_s=0.2)
    assert 0 < answer.answered < answer.requests
