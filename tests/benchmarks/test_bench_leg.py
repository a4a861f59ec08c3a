"""A leg's own time outside measuring, for digits-mlp with everything cached: starting, judging, reports. Printed, to be held
against an earlier version on the same machine.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

RUNS = 5


def test_bench_leg(example: Callable[[str], Path], tmp_path: Path) -> None:
    file = example("digits-mlp") / "edge_ai_pipeline.yaml"
    environment = os.environ | {"GATEKEEPER_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "gatekeeper", "run", str(file), "--framework", "onnx_runtime", "--output", "one", "--quiet"]
    legs, wholes = [], []
    for turn in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True)
        took = time.perf_counter() - start
        (leg,) = json.loads((tmp_path / "one/report.json").read_text())["targets"][0]["legs"]
        assert leg["rounds"] > 0, leg["error"]
        if turn:  # the first one makes what is cached
            legs.append(leg["total_s"] - leg["measuring_s"])
            wholes.append(took - leg["measuring_s"])
    print(f"\na leg outside its rounds: {statistics.median(legs):.2f} s; the whole command: {statistics.median(wholes):.2f} s")
