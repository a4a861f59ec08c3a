"""`gatekeeper demo`: under 120 s the first time, under 45 s with the cache."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path


def test_bench_demo(tmp_path: Path) -> None:
    print()
    for name, limit in (("first time", 120), ("with the cache", 45)):
        start = time.perf_counter()
        command = [sys.executable, "-m", "gatekeeper", "demo", "--cache-dir", "cache"]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        took = time.perf_counter() - start
        print(f"gatekeeper demo, {name}: {took:.1f} s, wanted < {limit} s (exit {run.returncode})")
        assert run.returncode == 0, run.stdout + run.stderr
        assert took < limit
