"""Re-running an undecided commit does not pass it: ten attempts of the command line at a variant of exactly the limit.

Every attempt measures anew, as a re-run job does; what tells them apart is GITHUB_RUN_ATTEMPT alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.support import install_plugin, write_project
from kit.tables import races, render, write_table

BASELINE_UNITS, UNITS = 400, 200
PLUGIN = f"""
from pathlib import Path
from gatekeeper.frameworks import onnx_runtime as ort

EXTRA, REQUIRES, TECHNIQUES = "none", ("onnxruntime",), {{"half": "exactly half of the work"}}

def supports(model_format, device): return None
def defaults(model_format, device): return ("half",)
def refuses(technique, model, calibrated): return None

def optimize(job):
    ort._onnx_quantize.fp16(job, job.destination / "model.onnx")

class Session:
    def __init__(self, path, threads, device):
        self.inner = ort.open_session(path, threads, device)
        self.inputs, self.outputs = self.inner.inputs, self.inner.outputs
        self.again = range({UNITS} if Path(path).is_dir() else {BASELINE_UNITS})
    def run(self, feed):
        for _ in self.again: found = UNIT.run(feed)
        return self.inner.run(feed)

def open_session(path, threads, device):
    global UNIT
    UNIT = ort.open_session(Path({{model!r}}), threads, device)
    return Session(path, threads, device)
"""

pytestmark = pytest.mark.timeout(3600)


def test_bench_attempts(gatekeeper: Callable[..., Any], tmp_path: Path) -> None:
    file = write_project(tmp_path, "half", "exact", extra="")
    text = file.read_text().replace("speedup: {min: 0.01}", "speedup: {min: 2.0}")
    file.write_text(text.replace("max_rounds: 3, blocks: 2, block_ms: 5", "max_rounds: 24, blocks: 8, block_ms: 10"))
    code = PLUGIN.replace("{model!r}", repr(str(tmp_path / "model.onnx")))
    installed = install_plugin(tmp_path / "site", {"exact": code}, "[gatekeeper.frameworks]\nexact = exact\n")
    path = os.pathsep.join([installed["PYTHONPATH"], *filter(None, [os.environ.get("PYTHONPATH")])])
    rows, passed = [], 0
    for attempt in range(1, races(10) + 1):
        done = gatekeeper("run", file, env={"PYTHONPATH": path, "GITHUB_RUN_ATTEMPT": str(attempt)})
        [variant] = json.loads((tmp_path / "gatekeeper-report/report.json").read_text())["targets"][0]["variants"]
        speed = next(g for g in variant["gates"] if g["gate"] == "speedup")
        passed += speed["verdict"] == "pass"
        bounds = f"{speed['lower']:.2f}x to {speed['upper']:.2f}x"
        rows.append([attempt, speed["verdict"], f"{speed['observed']:.3f}x", bounds, speed["details"]["rounds"], done.returncode])
    header = ["attempt", "speedup ≥ 2x", "observed", "bounds", "rounds", "exit code"]
    write_table("attempts", render(header, rows))
    assert passed == 0
