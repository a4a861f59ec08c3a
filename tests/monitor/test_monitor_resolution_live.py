"""Steps on a real host: HAProxy, real servers, users' requests, a fault that is seen to arrive, and SIGKILL amid a step."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from kit.certified import certified
from kit.haproxy import needs_haproxy
from kit.live_host import Host, Users, words_of
from kit.once import Once
from kit.support import eventually

from gatekeeper.monitor.resolution.journal import NAME, Event, read

HELD_S, EVERY_S = 0.5, 0.25
WATCHING = """\
  monitoring:
    metrics: http://127.0.0.1:ENTRY/metrics
    alerts: {latency_p99: {max_ms: 100}, restarts: disabled}
    resolution: {live: live, result: out, steps: [STEPS], burst: 100ms, deadline: 5m}
"""


class Hold:
    """Holds up the sessions of every server that keeps no answers, again and again; `arrived` is how often."""

    def __init__(self, host: Host):
        self.host, self.arrived, self.over = host, 0, threading.Event()

    def __enter__(self) -> Hold:
        self.thread = threading.Thread(target=self._hold, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.over.set()
        self.thread.join()

    def _sessions(self) -> Iterator[psutil.Process]:
        for server in self.host.servers():
            try:
                if json.loads(Path(words_of(server)[-1]).read_text())["cache"] == 0:
                    yield from server.children()
            except (psutil.Error, OSError, ValueError, IndexError):
                continue

    def _hold(self) -> None:
        while not self.over.wait(EVERY_S):
            held = list(self._sessions())
            for each in held:
                _quietly(each.suspend)
            time.sleep(HELD_S)
            for each in held:
                _quietly(each.resume)
            self.arrived += len(held)


def _quietly(act: Any) -> None:
    try:
        act()
    except psutil.Error:
        return


@pytest.fixture
def host(once: Once, tmp_path: Path) -> Iterator[Host]:
    place = Host(certified(once, tmp_path).folder)
    yield place
    place.end()


def watch(host: Host) -> list[str]:
    return [sys.executable, "-m", "gatekeeper", "watch", "how.yaml", "--once"]


def begun(host: Host, steps: str) -> None:
    """The first model serves, and a watch is written down."""
    held = host.deploy("--deadline", "1s")
    assert held.returncode == 3, held.stdout + held.stderr
    how = host.folder / "how.yaml"
    told = WATCHING.replace("ENTRY", str(host.standing().front.entry)).replace("STEPS", steps)
    how.write_text(how.read_text() + told)


def looked(host: Host) -> subprocess.CompletedProcess[str]:
    return subprocess.run(watch(host), cwd=host.folder, capture_output=True, text=True, check=False)


@needs_haproxy
@pytest.mark.serial
@pytest.mark.thorough
def test_a_step_that_helps_is_kept_and_one_that_was_killed_is_not_tried_again(host: Host) -> None:
    begun(host, "smaller_batch, more_cpu, model_cache")
    first, journal = host.standing().blue, host.state / NAME
    with Users(host, many=8) as users, Hold(host) as hold:
        assert eventually(lambda: len(users.answers) > 300 and hold.arrived > 5, 60)
        process = subprocess.Popen(watch(host), cwd=host.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert eventually(lambda: journal.exists() and read(journal)[-1].event is Event.TRYING, 60)
        assert eventually(lambda: len(host.servers()) == 2, 60)
        process.kill()
        process.wait()
        assert host.ask() == 200, "whatever it was amid, users are answered"
        arrived, begun_ = hold.arrived, len(users.answers)
        assert eventually(lambda: len(users.answers) > begun_ + 600, 120), "a look counts from the one before"
        done = looked(host)
    assert hold.arrived > arrived, "the fault arrived while the step was judged"
    assert done.returncode == 1, done.stdout + done.stderr
    steps = {each.step: (each.decision, each.kept) for each in read(journal) if each.event is Event.TRIED}
    assert steps == {
        "smaller_batch": ("not_possible", False), "more_cpu": ("cut_short", False), "model_cache": ("promote", True)
    }, done.stderr  # fmt: skip
    now = host.standing()
    assert now.blue != first and now.slots[now.blue].served.cache > 0 and len(host.servers()) == len(now.slots) == 1
    assert users.answers.count(200) == len(users.answers), "nothing was lost"
    again = looked(host)
    assert "trying" not in again.stderr and len(host.servers()) == 1, "that look goes back to before the step was kept"


@needs_haproxy
@pytest.mark.serial
@pytest.mark.thorough
def test_a_step_that_does_not_help_is_undone_and_a_person_is_told(host: Host) -> None:
    begun(host, "more_cpu")
    first = host.standing().blue
    with Users(host, many=8) as users, Hold(host) as hold:
        assert eventually(lambda: len(users.answers) > 300 and hold.arrived > 5, 60)
        done = looked(host)
    assert done.returncode == 1, done.stderr
    ends = (
        "rollback, undone",
        "hold, undone",
    )  # where cores are scarce both colours are slow by turns, and it takes long to tell
    assert any(f"more_cpu: {each}" in done.stderr for each in ends), done.stderr
    assert "nothing helped, and nobody is named" in done.stderr
    assert host.standing().blue == first and len(host.servers()) == 1 and host.ask() == 200


@needs_haproxy
@pytest.mark.serial
@pytest.mark.thorough
def test_killed_at_random_moments_one_serves_and_nothing_is_tried_twice(host: Host) -> None:
    begun(host, "more_cpu, model_cache")
    draw, journal = random.Random(2), host.state / NAME
    with Users(host, many=8) as users, Hold(host) as hold:
        assert eventually(lambda: len(users.answers) > 300 and hold.arrived > 5, 60)
        for _ in range(8):
            process = subprocess.Popen(watch(host), cwd=host.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(draw.uniform(0.5, 9.0))
            process.kill()
            process.wait()
            assert host.ask() == 200
        assert looked(host).returncode in (0, 1)
    begun_ = [each.step for each in read(journal) if each.event is Event.TRYING]
    assert len(begun_) == len(set(begun_))
    assert len(host.servers()) == 1 and host.ask() == 200
