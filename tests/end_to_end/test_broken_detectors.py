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

DECODE = "def decode(outputs, size):\n    return [rows for rows in outputs['dets']]\n"
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


def test_what_a_function_of_ones_own_does_not_read_is_judged_beside_it(tmp_path: Path) -> None:
    """Nor do scores all alike or beyond one pass, where every box is right and their order says nothing."""
    truth, base, of, _ = looked_up.world()
    base[of < 0] = 0
    distance = np.random.default_rng(5).random((looked_up.IMAGES, 3)) + 1
    variants: dict[str, tuple[Any, Any]] = {
        name: (base.copy(), distance.copy()) for name in ("near", "far", "nan", "alike", "sure")
    }
    variants["near"][1][:] += 1e-3
    variants["far"][1][:] = 1e6
    variants["nan"][1][::7] = np.nan
    shown = base[:, :, looked_up.SCORE] > 0
    variants["alike"][0][shown, looked_up.SCORE] = 0.9
    variants["sure"][0][shown, looked_up.SCORE] *= 3
    looked_up.write(tmp_path / "base.onnx", base, distance=distance)
    for name, (rows, beside) in variants.items():
        looked_up.write(tmp_path / f"{name}.onnx", rows, distance=beside)
    np.savez(tmp_path / "eval.npz", x=looked_up.images(), y=truth, site=np.zeros(looked_up.IMAGES))
    (tmp_path / "mine.py").write_text(DECODE)
    listed = ", ".join(f"{{name: {name}, path: {name}.onnx}}" for name in variants)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE.format(variants=listed).replace("layout: end_to_end", "decode: mine:decode"))
    ran = command.call(["run", "pipeline.yaml", "--cache-dir", "cache"], tmp_path, {})
    (target,) = json.loads((tmp_path / "gatekeeper-report/report.json").read_text())["targets"]
    found = {v["technique"]: {g["gate"]: g for g in v["gates"] if g["verdict"] == "fail"} for v in target["variants"]}
    assert {name: set(each) for name, each in found.items()} == {
        "near": set(), "far": {"outputs"}, "nan": {"outputs"}, "alike": {"accuracy"}, "sure": {"accuracy"}
    }, ran.stdout + ran.stderr  # fmt: skip
    assert "distance" in found["far"]["outputs"]["reason"] and "NaN" in found["nan"]["outputs"]["reason"]
    assert "every box the same score" in found["alike"]["accuracy"]["reason"]
    assert "go up to 2.9" in found["sure"]["accuracy"]["reason"]


LABELLED = pytest.mark.parametrize("labels", [True, pytest.param(False, marks=pytest.mark.thorough)])
FINE = ("near", "half_precision", "shuffled", "more_rows")


@LABELLED
def test_what_rounding_does_passes(ran: Callable[[bool], Ran], labels: bool) -> None:
    found = ran(labels)
    assert {name: found[name]["verdict"] for name in FINE} == dict.fromkeys(FINE, "pass")


@LABELLED
def test_what_a_user_would_call_broken_does_not(ran: Callable[[bool], Ran], labels: bool) -> None:
    passed = [name for name, each in ran(labels).items() if name not in FINE and each["verdict"] not in ("fail", "error")]
    assert passed == []
