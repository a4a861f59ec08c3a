"""`model.boxes`, `model.symbols` and `dataset.annotations`: what does not agree is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.config.load import load
from gatekeeper.errors import ConfigError

FILE = """\
edge_ai_pipeline:
  model: {{path: model.onnx, task: {task}{model}}}
  dataset: {{path: images{dataset}}}
  optimization: {{frameworks: [onnx_runtime]}}
"""


def problems(folder: Path, task: str = "object_detection", model: str = "", dataset: str = "") -> list[str]:
    (folder / "images").mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(b"x")
    (folder / "p.yaml").write_text(FILE.format(task=task, model=model, dataset=dataset))
    try:
        load(folder / "p.yaml")
    except ConfigError as error:
        return [each.message for each in error.problems]
    return []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"task": "regression", "model": ", boxes: {layout: ssd}"}, "boxes are of the task object_detection"),
        ({"task": "regression", "model": ", symbols: {blank: 0}"}, "symbols are of the task transcription"),
        ({"task": "regression", "dataset": ", annotations: i.json"}, "boxes are of the task object_detection"),
        ({"dataset": ", annotations: i.json"}, "no such file"),
        ({"model": ", boxes: {layout: yolo_v9}"}, "yolo_v8"),
        ({"model": ", boxes: {layout: ssd, decode: a:b}"}, "`decode` reads the outputs, and so does `layout`"),
        ({"model": ", boxes: {decode: nowhere:b}"}, "no module 'nowhere'"),
        ({"model": ", boxes: {score: 1.5}"}, "1.5"),
        ({"task": "transcription", "model": ", symbols: {vocabulary: v.txt}"}, "no such file"),
        ({"dataset": ", metric: ndcg"}, "'ndcg' does not fit the task object_detection. Use map, map_50."),
    ],
)
def test_what_does_not_agree_is_said(words: dict[str, str], said: str, tmp_path: Path) -> None:
    assert any(said in each for each in problems(tmp_path, **words)), problems(tmp_path, **words)


def test_what_agrees_is_taken(tmp_path: Path) -> None:
    (tmp_path / "i.json").write_text("{}")
    (tmp_path / "v.txt").write_text("a\n")
    assert problems(tmp_path, model=", boxes: {layout: yolo_x, overlap: 0.45}", dataset=", annotations: i.json") == []
    assert problems(tmp_path, "transcription", ", symbols: {vocabulary: v.txt, blank: -1}") == []
