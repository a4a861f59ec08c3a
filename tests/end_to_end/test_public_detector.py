"""The detector of letters that ddddocr ships (YOLOX), gated as its users have it, on letters that are drawn here."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from end_to_end.test_detection import gate, report
from evaluate.detection.test_detection_precision import by_pycocotools
from kit.detector import padded as labels_of
from kit.public_models import OCR

from gatekeeper.evaluate.detection.form import padded
from gatekeeper.evaluate.detection.suppress import suppressed
from gatekeeper.evaluate.detection.truth import true_boxes

MODEL = OCR / "common_det.onnx"
SIDE = 416


def draw(count: int) -> tuple[Any, list[Any]]:
    """Captchas, blue first, as the package feeds them, and a box around each letter."""
    from PIL import Image, ImageDraw, ImageFont

    order, noise = random.Random(0), np.random.default_rng(0)
    images, boxes = [], []
    for _ in range(count):
        paper, height = order.randint(180, 250), order.randint(130, 260)
        image = Image.new("RGB", (SIDE, SIDE), (114, 114, 114))
        pen = ImageDraw.Draw(image)
        pen.rectangle([0, 0, SIDE, height], fill=(paper, paper - order.randint(0, 40), paper - order.randint(0, 40)))
        for _ in range(order.randint(3, 8)):
            ends = [(order.randint(0, SIDE), order.randint(0, height)) for _ in range(2)]
            pen.line(ends, fill=tuple(order.randint(60, 220) for _ in range(3)), width=2)
        own = []
        for place in range(order.randint(3, 5)):
            size = order.randint(50, 80)
            where = 10 + place * 80 + order.randint(0, 12), order.randint(5, max(6, height - size - 20))
            letter, font = order.choice("ABCDEFGHKMNPRSTXYZ23456789"), ImageFont.load_default(size)
            pen.text(where, letter, fill=tuple(order.randint(0, 110) for _ in range(3)), font=font)
            own.append([*pen.textbbox(where, letter, font=font), 0])
        pixels = np.asarray(image, np.float32)[:, :, ::-1] + noise.normal(0, 4, (SIDE, SIDE, 3))
        images.append(np.clip(pixels, 0, 255).astype(np.float32).transpose(2, 0, 1))
        boxes.append(np.asarray(own, float))
    return np.stack(images), boxes


def found_alone(model: Path, images: Any) -> Any:
    """As the package's own code reads the output, but for boxes that it leaves out as unsure."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    each = []
    for image in images:
        (rows,) = session.run(None, {"images": image[None]})[0].astype(float)
        boxes, k = [], 0
        for stride in (8, 16, 32):
            for y in range(SIDE // stride):
                for x in range(SIDE // stride):
                    dx, dy, w, h, sure, score = rows[k]
                    k += 1
                    cx, cy, w, h = (dx + x) * stride, (dy + y) * stride, np.exp(w) * stride, np.exp(h) * stride
                    if sure * score >= 0.001:
                        boxes.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, sure * score, 0])
        each.append(suppressed(np.asarray(boxes).reshape(-1, 6), 0.7))
    return padded(each)


@pytest.mark.thorough
@pytest.mark.skipif(not MODEL.exists(), reason="`make` installs ddddocr, and it is not here")
def test_a_public_detector_says_what_its_own_code_says(tmp_path: Path) -> None:
    images, boxes = draw(80)
    (tmp_path / "model.onnx").symlink_to(MODEL)
    np.savez(tmp_path / "eval.npz", images=images, y=labels_of(boxes))
    np.savez(tmp_path / "calib.npz", images=images[:2] + 1)
    ran = gate(tmp_path, tmp_path, boxes=", boxes: {layout: yolo_x}")
    accuracy = next(each for each in report(tmp_path)["targets"][0]["variants"][0]["gates"] if each["gate"] == "accuracy")
    expected = by_pycocotools(true_boxes(labels_of(boxes), ""), found_alone(MODEL, images))[0]
    assert expected > 0.2, ran.stdout
    assert accuracy["details"]["baseline"] == pytest.approx(expected, abs=1e-5)
    assert accuracy["observed"] > 0.98
