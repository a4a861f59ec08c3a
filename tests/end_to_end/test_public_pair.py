"""The readers of captchas that ddddocr ships, in 32 and in 8 bits, gated as their users have them, and by a bare loop beside it.

Both were trained to the same letters in another order, which neither file says: as it lies, the one in 8 bits answers letters
that are none of the other's. With its scores in the other's order the two can be compared.
"""

from __future__ import annotations

import ast
import json
import random
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import onnx
import onnxruntime
import pytest
from kit.command import call
from kit.public_models import OCR
from onnx import helper, numpy_helper

FLOAT, INT8 = OCR / "common.onnx", OCR / "common_old.onnx"
IMAGES, WIDTH, KEPT = 72, 112, 0.8
pytestmark = pytest.mark.skipif(not INT8.exists(), reason="`make` installs ddddocr, and it is not here")


def letters() -> dict[Path, list[str]]:
    """What each model's classes write, as its package says."""
    module = ast.parse((OCR / "charsets.py").read_text(encoding="utf-8"))
    lists = {each.targets[0].id: each.value for each in module.body if isinstance(each, ast.Assign)}  # type: ignore[attr-defined]
    return {FLOAT: ast.literal_eval(lists["CHARSET_BETA"]), INT8: ast.literal_eval(lists["CHARSET_OLD"])}


def draw() -> tuple[Any, Any]:
    """Images as the package feeds them, and what is written on each."""
    from PIL import Image, ImageDraw, ImageFont

    order, images, texts = random.Random(0), [], []
    for _ in range(IMAGES):
        text = "".join(order.choices("abcdefghkmnprstxyz23456789", k=order.randint(3, 5)))
        image = Image.new("L", (WIDTH, 64), order.randint(200, 255))
        font = ImageFont.load_default(order.randint(34, 42))
        ImageDraw.Draw(image).text((order.randint(4, 14), order.randint(4, 14)), text, order.randint(0, 80), font)
        images.append(np.asarray(image, np.float32)[None] / 255)
        texts.append(text)
    return np.stack(images), np.array(texts)


def in_order(theirs: list[str], own: list[str], target: Path) -> None:
    """The model in 8 bits with its scores in the other's order; one letter of each is none of the other's."""
    model, place = onnx.load(INT8), {letter: i for i, letter in enumerate(own)}
    [output] = model.graph.output
    for node in model.graph.node:
        node.output[:] = ["own order" if name == output.name else name for name in node.output]
    order = np.array([place.get(letter, place["'"]) for letter in theirs])
    model.graph.initializer.append(numpy_helper.from_array(order, "order"))
    model.graph.node.append(helper.make_node("Gather", ["own order", "order"], [output.name], axis=2))
    onnx.save(model, target)


def read(model: Path, images: Any, letters: list[str]) -> list[str]:
    """One by one, as the package's own code reads what the model answers, [steps, 1, letters]."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    texts = []
    for image in images:
        text, before = "", 0
        for step in session.run(None, {"input1": image[None]})[0][:, 0]:
            now = int(step.argmax())
            text += letters[now] if now != before else ""
            before = now
        texts.append(text)
    return texts


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, Any, Any]:
    """The variants of a run by name, its folder, and what it was run on."""
    folder = tmp_path_factory.mktemp("pair")
    images, texts = draw()
    np.savez(folder / "eval.npz", input1=images, y=texts)
    (folder / "letters.json").write_text(json.dumps(letters()[FLOAT]))
    (folder / "float.onnx").symlink_to(FLOAT)
    (folder / "int8.onnx").symlink_to(INT8)
    in_order(letters()[FLOAT], letters()[INT8], folder / "ordered.onnx")
    (folder / "p.yaml").write_text(f"""\
edge_ai_pipeline:
  model: {{path: float.onnx, task: transcription, symbols: {{vocabulary: letters.json, blank: 0}}}}
  dataset: {{path: eval.npz}}
  outputs: {{"387": {{batch_axis: 1}}}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization:
    frameworks: []
    variants: [{{name: ordered, path: ordered.onnx}}, {{name: as_it_lies, path: int8.onnx}}]
  gates: {{accuracy: {{retention: {KEPT}}}, speedup: disabled, memory: disabled, stability: disabled}}
""")
    done = call(("run", "p.yaml", "--output", "report"), folder, {})
    assert done.returncode == 0, done.stdout + done.stderr
    [target] = json.loads((folder / "report/report.json").read_text())["targets"]
    return {each["technique"]: each for each in target["variants"]}, folder, images, texts


def test_the_pair_is_judged_as_a_bare_loop_has_it(judged: Any) -> None:
    variants, folder, images, texts = judged
    missed = {
        name: jiwer.cer(texts.tolist(), read(folder / f"{name}.onnx", images, letters()[FLOAT])) for name in ("float", "ordered")
    }
    own = jiwer.cer(texts.tolist(), read(INT8, images, letters()[INT8]))
    assert own == missed["ordered"] < 0.1, "the order of the letters is all that was changed"
    [accuracy] = [each for each in variants["ordered"]["gates"] if each["gate"] == "accuracy"]
    assert variants["ordered"]["verdict"] == "pass", variants["ordered"]["reason"]
    assert accuracy["details"]["baseline"] == pytest.approx(missed["float"], abs=1e-9)
    assert variants["ordered"]["quality"]["value"] == pytest.approx(missed["ordered"], abs=1e-9)
    assert accuracy["observed"] == pytest.approx((1 - missed["ordered"]) / (1 - missed["float"]), abs=1e-9)


def test_letters_in_another_order_fail_as_a_bare_loop_has_it(judged: Any) -> None:
    variants, _, images, texts = judged
    missed = jiwer.cer(texts.tolist(), read(INT8, images, letters()[FLOAT]))
    assert variants["as_it_lies"]["verdict"] == "fail" and missed > 0.9
    assert variants["as_it_lies"]["quality"]["value"] == pytest.approx(missed, abs=1e-9)
    assert "no better than chance" in variants["as_it_lies"]["reason"]
