"""A year of daily looks at identical data, how soon a shift is seen, and a million logged requests.

GATEKEEPER_BENCH_RUNS=20 for a quick look: so many years, and a tenth of it streams. With GATEKEEPER_BENCH_STATE=folder it goes on
from where an earlier run was.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from kit.kept import Kept
from simulation.watch import counts, cries, delay_table, delays, normal, upper

YEARS = int(os.environ.get("GATEKEEPER_BENCH_RUNS", 200))
REQUESTS, MOST_S, MOST_BYTES = 1_000_000, 10.0, 500e6


def test_a_year_of_daily_looks_at_identical_data() -> None:
    """All tests of a look together: eight features, confidence, answers, and errors exactly at their limit."""
    cells = [("normal", normal, 100), ("normal", normal, 1000), ("ties", counts, 100)]
    kept = [Kept(f"years-{name}-{n}") for name, _, n in cells]
    firsts: list[list[int]] = [[] for _ in cells]
    for year in range(YEARS):  # so that what has no time to end has as many of each
        for (_, draw, n), known, own in zip(cells, kept, firsts, strict=True):
            own.append(known.once(f"year {year}", partial(cries, 11, year, 365, n, draw)))
    for (name, _, n), own in zip(cells, firsts, strict=True):
        wrong = sum(first > 0 for first in own)
        print(f"\n{name}, {n:,} requests a day: {wrong} of {YEARS} years with an alarm (at most {upper(wrong, YEARS):.1%})")
        assert wrong <= 0.05 * YEARS + 2 * np.sqrt(0.05 * 0.95 * YEARS)


def test_how_soon_a_shift_is_seen() -> None:
    """Beside Kayenta's Mann-Whitney, KS at 0.05 and PSI, on the same streams."""
    for shift in (0.2, 0.5):
        for n in (200, 2000):
            print("\n" + delay_table(shift, n, list(delays(13, max(2, YEARS // 10), n, shift))))


def test_a_million_logged_requests(tmp_path: Path) -> None:
    """Through the command line, in a process of its own."""
    rng, now = np.random.default_rng(0), time.time()
    x, sure, ms = rng.standard_normal((REQUESTS, 8)).round(4), rng.beta(8, 2, REQUESTS).round(4), rng.lognormal(1, 0.5, REQUESTS)
    with (tmp_path / "requests.jsonl").open("w") as log:
        for i in range(REQUESTS):
            row = {
                "time": now - 80_000 * (1 - i / REQUESTS),
                "id": i,
                "inputs": {"x": x[i].tolist()},
                "answer": i % 10,
                "label": i % 10,
            }
            log.write(json.dumps(row | {"confidence": sure[i], "ms": round(ms[i], 3), "status": 200}) + "\n")
    file = tmp_path / "p.yaml"
    file.write_text("edge_ai_pipeline:\n  monitoring: {requests: requests.jsonl}\n")
    words = [sys.executable, "-m", "gatekeeper", "watch", str(file)]
    subprocess.run([*words, "--learn", str(tmp_path / "requests.jsonl")], check=True, capture_output=True)
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*words, "--once", "--format", "json"], capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # The kernel counts what a child had of its parent before it became the command: it is less.
    peak = after.ru_maxrss * 1024
    look = json.loads(done.stdout)
    assert done.returncode == 0, look
    assert {each["name"]: each["n"] for each in look["signals"]}["accuracy"] == REQUESTS
    size = (tmp_path / "requests.jsonl").stat().st_size
    told = f"{took:.1f} s ({spent:.1f} s of processor time), at most {peak / 1e6:.0f} MB"
    print(f"\n{REQUESTS:,} requests ({size / 1e6:.0f} MB) in {told}")
    assert spent < MOST_S
    assert peak < MOST_BYTES
