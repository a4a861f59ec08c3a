"""Rehearsals again and again: healthy ramps must be promoted and lose nothing, faults arrive and never be promoted.

GATEKEEPER_BENCH_REHEARSALS=2 for a quick look; 20 healthy ramps and 10 of each fault take most of an hour.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kit.haproxy import needs_haproxy
from kit.subjects import Shelf

from gatekeeper.deploy.faults._base import in_order
from gatekeeper.deploy.haproxy import Colour, Proxy
from gatekeeper.deploy.journal import Event, Journal, read
from gatekeeper.deploy.rehearsal import Terms, rehearse
from gatekeeper.deploy.rollout import settle
from gatekeeper.records.base import Verdict
from gatekeeper.records.rollout import Decision
from gatekeeper.serve.behind import served
from gatekeeper.serve.child import Server
from gatekeeper.stats.rehearsal import HEALTHY, judge_rehearsal

TIMES = int(os.environ.get("GATEKEEPER_BENCH_REHEARSALS", "20"))
TERMS = Terms(rate_qps=100.0, p99_ms=250.0)
ROLL = """\
import sys
from pathlib import Path
from gatekeeper.deploy.haproxy import Control
from gatekeeper.deploy.journal import Journal
from gatekeeper.deploy.rollout import Plan, roll
from gatekeeper.records.rollout import RolloutLimits, Seen, Window

class Eyes:
    def look(self, step, count_asked=False):
        seen = Seen(requests=100)
        return Window(step=step, seconds=1.0, green=seen, blue=seen)

limits = RolloutLimits(error_rate=0.2, slow_rate=0.2, slow_ms=100.0, disagreement=None, burst_s=0.0)
with Journal(Path(sys.argv[1])) as journal:
    print("begun", flush=True)
    plan = Plan(steps=(25, 50, 90), limits=limits, deadline_s=60.0)
    roll(plan, Control(Path(sys.argv[2])), Eyes(), journal, sleep=lambda s: __import__("time").sleep(0.02))
"""
"""A rollout whose green is well, in a process that can be killed."""


@needs_haproxy
def test_all_faults_and_healthy_ramps(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    models = [shelf.subject(shelf.original, id=name, task="tabular_classification") for name in ("old", "new")]
    every = rehearse(models[0], models[1], TERMS, note=print)
    print(f"\nall scenarios: {every.seconds:.0f} s; {judge_rehearsal(every, in_order())}")
    promoted, ratios, lost = 0, [], 0
    for _ in range(TIMES):
        one = rehearse(models[0], models[1], TERMS, [HEALTHY], note=print).scenarios[0]
        promoted += one.ruling.decision is Decision.PROMOTE
        lost += one.lost
        ratios.append(one.windows[-1].seconds / every.least_s)
    print(f"healthy: {promoted} of {TIMES} promoted, {lost} lost; {sorted(ratios)[TIMES // 2]:.2f} times the least time (median)")
    for name in in_order():
        runs = [rehearse(models[0], models[1], TERMS, [name]).scenarios[0] for _ in range(max(1, TIMES // 2))]
        ruled = [each.ruling.decision for each in runs]
        arrived, later = [each.arrived for each in runs], sum(each.lost_later for each in runs)
        print(f"{name}: {[each.value for each in ruled]}, arrived {arrived}, lost {[each.lost for each in runs]}, later {later}")
        assert Decision.PROMOTE not in ruled and all(arrived)
    assert promoted == TIMES and lost == 0
    assert judge_rehearsal(every, in_order())[0] is Verdict.PASS and every.seconds < 240


@needs_haproxy
@pytest.mark.parametrize("moment", range(TIMES))
def test_killed_at_a_random_moment_one_colour_serves(moment: int, tmp_path: Path) -> None:
    shelf, journal = Shelf(tmp_path), tmp_path / "journal"
    subject = shelf.subject(shelf.original, task="tabular_classification")
    with Server(served(subject), tmp_path) as blue, Server(served(subject), tmp_path) as green:
        for server in (blue, green):
            server.wait_ready(60)
        with Proxy(blue.address, green.address) as proxy:
            words = [sys.executable, "-c", ROLL, str(journal), str(proxy.folder / "admin")]
            process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
            assert process.stdout and process.stdout.readline() == "begun\n"
            time.sleep(random.Random(moment).uniform(0, 0.6))
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            promoted = Event.PROMOTING in [entry.event for entry in read(journal)]
            with Journal(journal) as ours:
                settle(proxy.control, ours)
            weights = {colour: side.weight for colour, side in proxy.control.sides().items()}
            assert weights == {Colour.GREEN: 100 * promoted, Colour.BLUE: 100 - 100 * promoted}
            print(f"killed with {len(read(journal))} lines: {'green' if promoted else 'blue'} serves")
