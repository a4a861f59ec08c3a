"""Detectors of one's own that keep most of a mean average precision and are broken all the same, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit import command, looked_up
from kit.once import Once

PIPELINE = """\
edge_ai_pipeline:
  stages: [model_validation, optimization]
  model: {{path: base.onnx, task: object_detection, boxes: {{layout: end_to_end}}}}
  dataset: {{path: eval.npz, slices: [site]}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [], variants: [{variants}]}}
  gates: {{speedup: disabled, memory: disabled, stability: disabled, require: all}}
"""
Ran = dict[str, dict[str, Any]]


def gated(folder: Path, labels: bool) -> Ran:
    """Gates by name, of each variant; of one whose answers are refused, none."""
    truth, base, of, sites = looked_up.world()
    variants = looked_up.fine(base) | looked_up.broken(base, truth, of, sites)
    looked_up.write(folder / "base.onnx", base)
    for name, rows in variants.items():
        looked_up.write(folder / f"{name}.onnx", rows)
    np.savez(folder / "eval.npz", x=looked_up.images(), site=sites, **({"y": truth} if labels else {}))
    listed = ", ".join(f"{{name: {name}, path: {name}.onnx}}" for name in variants)
    (folder / "pipeline.yaml").write_text(PIPELINE.format(variants=listed))
    ran = command.call(["run", "pipeline.yaml", "--cache-dir", "cache"], folder, {})
    (target,) = json.loads((folder / "gatekeeper-report/report.json").read_text())["targets"]
    found = {
        each["technique"]: {"verdict": each["verdict"], **{g["gate"]: g for g in each["gates"]}} for each in target["variants"]
    }
    assert found.keys() == variants.keys(), ran.stdout + ran.stderr
    return found


@pytest.fixture(scope="session")
def ran(once: Once) -> Callable[[bool], Ran]:
    def of(labels: bool) -> Ran:
        def fill(folder: Path) -> None:
            (folder / "found.json").write_text(json.dumps(gated(folder, labels)))

        return json.loads((once(f"looked_up_{labels}", fill) / "found.json").read_text())

    return of


LABELLED = pytest.mark.parametrize("labels", [True, False])
FINE = ("near", "half_precision", "shuffled", "more_rows")


@LABELLED
def test_what_rounding_does_passes(ran: Callable[[bool], Ran], labels: bool) -> None:
    found = ran(labels)
    assert {name: found[name]["verdict"] for name in FINE} == dict.fromkeys(FINE, "pass")


@LABELLED
def test_what_a_user_would_call_broken_does_not(ran: Callable[[bool], Ran], labels: bool) -> None:
    passed = [name for name, each in ran(labels).items() if name not in FINE and each["verdict"] not in ("fail", "error")]
    assert passed == []
