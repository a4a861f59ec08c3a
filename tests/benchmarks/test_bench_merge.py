"""Merging 1,000 leg reports of 4 variants each: under 3 s."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LEGS, VARIANTS = 1000, 4


def test_bench_merge(example: Callable[[str], Path], tmp_path: Path) -> None:
    write_legs(example, tmp_path)
    start = time.perf_counter()
    merge = [sys.executable, "-m", "gatekeeper", "report", "legs", "--format", "json", "--output", "merged"]
    run = subprocess.run(merge, cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ)
    took = time.perf_counter() - start
    merged = json.loads(run.stdout)
    count = sum(len(t["variants"]) for t in merged["targets"])
    print(f"\nmerged {len(merged['targets'])} legs with {count} variants in {took:.2f} s, wanted < 3 s")
    assert count == LEGS * VARIANTS
    assert took < 3


def write_legs(example: Callable[[str], Path], folder: Path) -> None:
    """One measured leg as if it had come from a thousand targets, in folder/legs."""
    file = example("digits-mlp") / "edge_ai_pipeline.yaml"
    command = [sys.executable, "-m", "gatekeeper", "run", str(file), "--framework", "onnx_runtime", "--output", "one", "--quiet"]
    subprocess.run(command, cwd=folder, check=False, capture_output=True)
    report = json.loads((folder / "one/report.json").read_text())
    names = [f"target{i:04}" for i in range(LEGS)]
    manifest = [f"{name}/onnx_runtime" for name in names]
    for name in names:
        leg = folder / "legs" / name
        leg.mkdir(parents=True)
        (leg / "report.json").write_text(json.dumps(renamed(report, name, manifest)))


def renamed(report: dict[str, Any], name: str, manifest: list[str]) -> dict[str, Any]:
    """A measured report as if it came from another target, with four variants."""
    copy = json.loads(json.dumps(report).replace("edge-cpu", name))
    copy["pipeline"]["legs"] = manifest
    target = copy["targets"][0]
    while len(target["variants"]) < VARIANTS:
        extra = json.loads(json.dumps(target["variants"][0]))
        extra["id"] += str(len(target["variants"]))
        target["variants"].append(extra)
    return dict(copy)
