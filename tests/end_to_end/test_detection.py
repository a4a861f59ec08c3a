"""A detector trained here on drawn shapes, gated through the command line; its value by pycocotools alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from evaluate.detection.test_detection_precision import by_pycocotools
from kit import command, detector
from kit.once import Once

from gatekeeper.evaluate.detection.form import padded
from gatekeeper.evaluate.detection.suppress import suppressed
from gatekeeper.evaluate.detection.truth import true_boxes

PIPELINE = """\
edge_ai_pipeline:
  stages: [model_validation, optimization]
  model: {{path: model.onnx, task: {task}{boxes}}}
  dataset: {{path: eval.npz, calibration: calib.npz}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [onnx_runtime], techniques: {{onnx_runtime: [{technique}]}}}}
  gates: {{speedup: disabled, memory: disabled, stability: disabled}}
  measure: {{max_rounds: 2, blocks: 1, block_ms: 5}}
"""


@pytest.fixture(scope="session")
def made(once: Once) -> Path:
    def fill(folder: Path) -> None:
        own = detector.trained()
        np.savez(folder / "weights.npz", **own)
        detector.write(folder / "model.onnx", own)
        images, boxes = detector.draw(np.random.default_rng(5), 400)
        np.savez(folder / "eval.npz", x=images, y=detector.padded(boxes))
        np.savez(folder / "calib.npz", x=detector.draw(np.random.default_rng(6), 64)[0])

    return once("detector", fill)


def gate(made: Path, folder: Path, technique: str = "fp16", task: str = "object_detection", boxes: str = "") -> Any:
    for name in ("model.onnx", "eval.npz", "calib.npz"):
        if not (folder / name).exists():
            (folder / name).symlink_to(made / name)
    (folder / "pipeline.yaml").write_text(PIPELINE.format(technique=technique, task=task, boxes=boxes))
    return command.call(["run", "pipeline.yaml", "--cache-dir", "cache"], folder, {})


def report(folder: Path) -> Any:
    return json.loads((folder / "gatekeeper-report/report.json").read_text())


def found_alone(model: Path, images: Any) -> Any:
    """Boxes by a loop of its own over what ONNX Runtime answers."""
    raw = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": images})[0]
    each = []
    for columns in raw.astype(float):
        rows = [
            [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, score, kind]
            for cx, cy, w, h, *scores in columns.T
            for kind, score in enumerate(scores)
            if score >= 0.001
        ]
        each.append(suppressed(np.asarray(rows).reshape(-1, 6), 0.7))
    return padded(each)


def test_a_trained_detector_is_judged_by_its_mean_average_precision(made: Path, tmp_path: Path) -> None:
    ran = gate(made, tmp_path)
    told = report(tmp_path)
    (variant,) = told["targets"][0]["variants"]
    (accuracy,) = [each for each in variant["gates"] if each["gate"] == "accuracy"]
    assert (ran.returncode, accuracy["verdict"]) == (0, "pass"), ran.stdout + ran.stderr
    data = np.load(made / "eval.npz")
    expected = by_pycocotools(true_boxes(data["y"], ""), found_alone(made / "model.onnx", data["x"]))[0]
    assert expected > 0.4
    assert accuracy["details"]["baseline"] == pytest.approx(expected, abs=1e-6)


def test_a_detector_whose_last_layer_is_broken_does_not_pass(made: Path, tmp_path: Path) -> None:
    """As a variant of one's own stands beside the original: predicted by the model, and compared as the gate does."""
    from gatekeeper.evaluate.metrics._base import metric

    data = np.load(made / "eval.npz")
    truth, own = true_boxes(data["y"], ""), dict(np.load(made / "weights.npz"))
    last = f"{len(detector.WIDTHS) - 1}_bias"
    shifts = {"a class is never found": (5, -30.0), "nothing is found": (slice(4, None), -30.0), "boxes are askew": (0, 6.0)}
    baseline = found_alone(made / "model.onnx", data["x"])
    for name, (where, by) in shifts.items():
        bias = own[last].copy()
        bias[where] += by
        detector.write(tmp_path / "broken.onnx", own | {last: bias})
        pair = metric("map").compare(baseline, found_alone(tmp_path / "broken.onnx", data["x"]), truth)
        assert pair.variant < 0.8 * pair.baseline, name


def test_without_labels_boxes_are_held_against_the_originals(made: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "eval.npz", x=np.load(made / "eval.npz")["x"])
    ran = gate(made, tmp_path)
    (accuracy,) = [each for each in report(tmp_path)["targets"][0]["variants"][0]["gates"] if each["gate"] == "agreement"]
    assert accuracy["verdict"] == "pass" and accuracy["observed"] > 0.97, ran.stdout


def test_the_wrong_task_leads_to_the_right_one(made: Path, tmp_path: Path) -> None:
    ran = gate(made, tmp_path, task="image_classification")
    assert ran.returncode != 0
    assert "object_detection" in ran.stdout + ran.stderr
