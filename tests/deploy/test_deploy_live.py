"""`gatekeeper deploy` on this host: HAProxy and servers that outlive it, users' requests meanwhile, and SIGKILL."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.certified import certified
from kit.haproxy import needs_haproxy
from kit.live_host import Host, Users, words_of
from kit.once import Once
from kit.support import eventually

from gatekeeper.deploy.journal import Event, read
from gatekeeper.deploy.live import slots
from gatekeeper.deploy.live.host import JOURNAL


@pytest.fixture
def host(once: Once, tmp_path: Path) -> Iterator[Host]:
    place = Host(certified(once, tmp_path).folder)
    yield place
    place.end()


@needs_haproxy
def test_a_model_goes_live_under_users_requests_and_what_it_replaced_is_ended(host: Host) -> None:
    held = host.deploy("--deadline", "1s")
    assert held.returncode == 3, held.stdout + held.stderr
    assert "hold" in held.stdout and len(host.servers()) == 1, "nobody asked, so the first model has everything"
    first = host.standing().blue
    with Users(host) as users:
        done = host.deploy("--deadline", "8m")
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.standing().blue != first and len(host.servers()) == 1
    assert set(users.answers) == {200} and len(users.answers) > 200, "none of them was lost"
    status = host.deploy("--status")
    assert status.returncode == 0 and host.standing().slots[host.standing().blue].sha256 in status.stdout
    again = host.deploy()
    assert again.returncode == 0 and "serves already" in again.stdout


def moments(host: Host) -> list[Any]:
    """What a run is killed at: nothing stands, a server more, the first step."""

    def begun() -> bool:
        return slots.read(host.state) is not None

    def two() -> bool:
        found = slots.read(host.state)
        return found is not None and len(found.slots) == 2

    def stepped() -> bool:
        path = host.state / JOURNAL
        return path.exists() and read(path)[-1:] != [] and read(path)[-1].event is Event.STEP

    return [begun, two, stepped]


def one_serves(host: Host) -> None:
    done = host.deploy("--deadline", "1s")
    assert done.returncode == 3, done.stdout + done.stderr
    assert len(host.servers()) == 1 and len(host.proxies()) == 1
    assert [host.ask() for _ in range(20)] == [200] * 20


@needs_haproxy
@pytest.mark.parametrize("moment", [pytest.param(0, marks=pytest.mark.thorough), pytest.param(1, marks=pytest.mark.thorough), 2])
def test_killed_at_any_moment_the_next_run_lets_one_model_serve(moment: int, host: Host) -> None:
    process = host.begin("--deadline", "1m")
    assert eventually(moments(host)[moment])
    process.kill()
    process.wait()
    one_serves(host)


@needs_haproxy
@pytest.mark.serial
@pytest.mark.thorough
def test_killed_at_twenty_random_moments(host: Host) -> None:
    draw = random.Random(1)
    one_serves(host)
    for _ in range(20):
        process = host.begin("--deadline", "2s")
        time.sleep(draw.uniform(0.2, 9.0))
        process.kill()
        process.wait()
        assert host.ask() == 200, "what served goes on serving while nobody deploys"
    one_serves(host)


@needs_haproxy
@pytest.mark.serial
@pytest.mark.thorough
def test_killed_right_after_its_promotion_the_new_model_serves(host: Host) -> None:
    with Users(host) as users:
        process = host.begin("--deadline", "8m")
        path = host.state / JOURNAL
        assert eventually(lambda: path.exists() and any(e.event in (Event.PROMOTING, Event.PROMOTED) for e in read(path)), 480)
        process.kill()
        process.wait()
        done = host.deploy()
        assert done.returncode == 0 and "serves already" in done.stdout, done.stdout + done.stderr
    assert len(host.servers()) == 1 and host.ask() == 200
    assert 200 in users.answers and users.answers[users.answers.index(200) :].count(200) == len(
        users.answers
    ) - users.answers.index(200)


@needs_haproxy
def test_a_green_that_dies_is_rolled_back(host: Host) -> None:
    process = host.begin("--deadline", "1m")
    assert eventually(moments(host)[2])
    blue = host.standing().blue
    [green] = [each for each in host.servers() if Path(words_of(each)[-1]).stem != blue]
    green.kill()
    assert process.wait() == 1
    assert read(host.state / JOURNAL)[-1].event is Event.WENT_BACK and len(host.servers()) == 1 and host.ask() == 200


@needs_haproxy
@pytest.mark.serial
@pytest.mark.thorough
def test_haproxy_and_the_server_killed_are_started_again_and_two_deploys_are_refused(host: Host) -> None:
    one_serves(host)
    for process in (*host.proxies(), *host.servers()):
        os.kill(process.pid, signal.SIGKILL)
    running = host.begin("--deadline", "20s")
    assert eventually(moments(host)[2]) and eventually(lambda: host.ask() == 200)
    second = host.deploy("--deadline", "1s")
    assert second.returncode == 2 and "another deploy is at work" in second.stderr
    running.send_signal(signal.SIGINT)
    running.wait()
    one_serves(host)


def test_what_did_not_pass_is_not_deployed_and_nothing_is_started(once: Once, tmp_path: Path) -> None:
    place = certified(once, tmp_path)
    host = Host(place.folder)
    place.model.write_bytes(place.model.read_bytes() + b"x")
    done = host.deploy()
    assert done.returncode == 1 and "is not what was measured" in done.stderr
    assert not (host.state / slots.STATE).exists() and host.servers() == []
    none = host.deploy("--status")
    assert none.returncode == 2 and "nothing was deployed here" in none.stderr
