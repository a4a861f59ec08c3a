"""What is timed is the workload: evaluation sets of inputs that differ in size, in any order, through the front door."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.support import install_framework, write_project

EXAMPLES = 120
GATES = "gates: {accuracy: disabled, outputs: disabled, worst_class: disabled, stability: disabled}"
Gates = dict[str, dict[str, Any]]


def judged(folder: Path, techniques: str, long: Any, much: Any) -> dict[str, Gates]:
    """Gates of each technique, on a set of which these examples are long, and those take much memory."""
    x = np.random.default_rng(0).standard_normal((EXAMPLES, 16)).astype(np.float32)
    x[:, 0], x[:, 1] = long, much
    file = write_project(folder, techniques, "sized")
    np.savez(folder / "eval.npz", x=x, y=(x @ np.load(folder / "weight.npz")["w"]).argmax(axis=1))
    text = file.read_text().replace("max_rounds: 3, blocks: 2", "max_rounds: 6, blocks: 2")
    file.write_text("\n".join(f"  {GATES}" if "gates:" in line else line for line in text.splitlines()))
    words = [sys.executable, "-m", "gatekeeper", "run", str(file)]
    env = os.environ | install_framework(folder / "site", "sized")
    run = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1) and "Traceback" not in run.stderr, run.stdout + run.stderr
    [target] = json.loads((folder / "gatekeeper-report/report.json").read_text())["targets"]
    return {each["technique"]: {gate["gate"]: gate for gate in each["gates"]} for each in target["variants"]}


def test_long_inputs_and_rare_memory_count_wherever_they_are(tmp_path: Path) -> None:
    """The first 24 are short, as an export sorted by length has them, and one of 120 takes four times the memory."""
    at = np.arange(EXAMPLES)
    found = judged(tmp_path, "short_only, fine", at >= 24, at == 12)
    speed, memory = found["short_only"]["speedup"], found["short_only"]["memory"]
    assert speed["verdict"] == "fail" and "slower than the baseline" in speed["reason"]
    assert "; short inputs " in speed["reason"] and "times as long) 0." in speed["reason"]
    assert speed["details"]["inputs"] == 32 and speed["details"]["sizes"]["short"] > 3
    assert speed["details"]["sizes"]["long"] == pytest.approx(12 / 24, rel=0.3)
    assert memory["verdict"] in ("fail", "inconclusive"), "two rounds on a busy machine bound it loosely"
    assert memory["observed"] == pytest.approx(1 - 60 / 96, abs=0.15), "in MiB"
    assert found["fine"]["speedup"]["verdict"] == found["fine"]["memory"]["verdict"] == "pass", found["fine"]


ORDERS = {
    "last": np.arange(EXAMPLES) >= 90,
    "first": np.arange(EXAMPLES) < 30,
    "in the middle": abs(np.arange(EXAMPLES) - 60) < 15,
    "anywhere": np.random.default_rng(1).permutation(EXAMPLES) < 30,
}


@pytest.mark.thorough
@pytest.mark.parametrize("order", ORDERS)
def test_a_minority_of_long_inputs_counts_by_its_work(order: str, tmp_path: Path) -> None:
    """Three in four are short, so the typical input gains; all inputs together do not gain twofold."""
    found = judged(tmp_path, "mostly_short", ORDERS[order], 0)["mostly_short"]
    speed = found["speedup"]
    assert speed["verdict"] == "fail" and "over all inputs" in speed["reason"], speed
    assert speed["details"]["views"]["medians"][0] > 2, "the typical input would pass"
    assert speed["details"]["sizes"]["short"] / speed["details"]["sizes"]["long"] > 1.5
