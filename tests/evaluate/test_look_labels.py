"""Labels that no output of the model's shapes would take are said before anything runs, and none that one would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kit.command import call
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.evaluate import look_some

R = np.random.default_rng(0)
N, STEPS, FEATURES, WIDTH = 120, 9, 6, 4
value = helper.make_tensor_value_info


def save(path: Path, given: list[Any], answered: list[Any], *nodes: Any, **weights: Any) -> None:
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    ends = [[value("x", TensorProto.FLOAT, given)], [value("y", TensorProto.FLOAT, answered)]]
    model = helper.make_model(
        helper.make_graph(list(nodes), "g", *ends, constants), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(model, path)


def matrix(path: Path, *steps: str | int) -> None:
    """Four numbers for each six, of every step where there are steps."""
    weights = R.standard_normal((FEATURES, WIDTH)).astype(np.float32)
    save(path, ["n", *steps, FEATURES], ["n", *steps, WIDTH], helper.make_node("MatMul", ["x", "w"], ["y"]), w=weights)


def pixels(path: Path) -> None:
    weights = R.standard_normal((WIDTH, 3, 1, 1)).astype(np.float32)
    save(path, ["n", 3, 8, 8], ["n", WIDTH, 8, 8], helper.make_node("Conv", ["x", "w"], ["y"]), w=weights)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("labels")
    matrix(place / "rows.onnx")
    matrix(place / "steps.onnx", "t")
    pixels(place / "pixels.onnx")
    return place


EXAMPLES = {"rows": (N, FEATURES), "steps": (N, STEPS, FEATURES), "pixels": (N, 3, 8, 8)}


def validate(folder: Path, model: str, task: str, labels: Any, **more: str) -> tuple[int, str]:
    x = R.standard_normal(EXAMPLES[model]).astype(np.float32)
    np.savez(folder / "eval.npz", x=x, y=labels)
    said = "".join(f", {key}: {value}" for key, value in more.items() if key != "dataset")
    (folder / "p.yaml").write_text(f"""\
edge_ai_pipeline:
  model: {{path: {model}.onnx, task: {task}{said}}}
  dataset: {{path: eval.npz{more.get("dataset", "")}}}
  optimization: {{frameworks: [onnx_runtime]}}
""")
    done = call(("validate", folder / "p.yaml"), folder, {})
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def whole(most: int, *shape: int) -> Any:
    return R.integers(0, most, (N, *shape))


GOOD: list[tuple[str, str, Any, dict[str, str]]] = [
    ("rows", "tabular_classification", whole(4), {}),
    ("rows", "tabular_classification", np.eye(4)[whole(4)], {}),
    ("rows", "tabular_classification", np.array(list("abcd"))[whole(4)], {}),
    ("rows", "regression", R.standard_normal((N, WIDTH)), {}),
    ("rows", "embedding", R.standard_normal((N, WIDTH)), {}),
    ("rows", "retrieval", np.arange(N) % 40, {}),
    ("rows", "multi_label_classification", whole(2, WIDTH), {}),
    ("steps", "token_classification", whole(WIDTH, STEPS), {}),
    ("steps", "transcription", np.array(["ab", "b"] * (N // 2)), {"symbols": "{vocabulary: ['', a, b, c], blank: 0}"}),
    ("pixels", "semantic_segmentation", whole(WIDTH, 8, 8), {}),
    ("pixels", "semantic_segmentation", whole(2, 8, 8) * 255, {"dataset": ", ignore: 255"}),
    ("rows", "tabular_classification", whole(9), {"dataset": ", metric: 'own:metric'"}),
]


@pytest.mark.parametrize("case", range(len(GOOD)))
def test_labels_that_fit_are_valid(case: int, folder: Path) -> None:
    model, task, labels, more = GOOD[case]
    (folder / "own.py").write_text("def metric(outputs, labels):\n    return 1.0\n")
    code, said = validate(folder, model, task, labels, **more)
    assert code == 0, said


WRONG: list[tuple[str, str, Any, str]] = [
    ("rows", "tabular_classification", whole(4, 3), "one whole number per example"),
    ("rows", "tabular_classification", whole(4) + 0.5, "one whole number per example"),
    ("rows", "tabular_classification", np.array(list("abc"))[whole(3)], "the labels have 3 names and the output 4 classes"),
    ("rows", "regression", R.standard_normal(N), "gives 4 values an example and the labels have 1"),
    ("rows", "regression", whole(4), "task: image_classification or tabular_classification or text_classification"),
    ("rows", "embedding", R.standard_normal((N, 3)), "outputs have 4 values and references 3"),
    ("rows", "retrieval", np.arange(N), "no query has another example of the same thing"),
    ("rows", "multi_label_classification", whole(4), "every label needs a 0 or a 1"),
    ("rows", "token_classification", whole(4), "image_classification or tabular_classification"),
    ("rows", "ranking", whole(2, 2), "an item has one score"),
    ("rows", "question_answering", whole(2, 2), "which outputs (y "),
    ("steps", "token_classification", whole(WIDTH, STEPS + 2), "labels are longer than the tokens"),
    ("steps", "token_classification", whole(WIDTH, STEPS - 2), "Fill labels up"),
    ("steps", "token_classification", whole(WIDTH + 3, STEPS), "and the output has 4 classes"),
    ("steps", "token_classification", np.full((N, STEPS), -100), "every label is one that is left out"),
    ("steps", "transcription", np.array(["ab", "b"] * (N // 2)), "which class writes nothing is not known"),
    ("pixels", "semantic_segmentation", whole(2, 8, 8) * 255, "Where 255 means none"),
    ("pixels", "semantic_segmentation", whole(2, 4, 4), "the labels have 4x4 pixels an example"),
]


@pytest.mark.parametrize("case", range(len(WRONG)))
def test_labels_that_no_answer_takes_are_told(case: int, folder: Path) -> None:
    model, task, labels, expected = WRONG[case]
    code, said = validate(folder, model, task, labels)
    assert code == 2 and expected in said and "p.yaml:3:" in said, said


def test_of_a_few_boxes_nothing_is_said_that_takes_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most images have none, and of a set that is too large to be read whole none with a box may be among those that are seen."""
    boxes = np.full((N, 1, 5), -1.0)
    boxes[17] = 1, 1, 4, 4, 0
    for enough in (look_some.ENOUGH, 0):
        monkeypatch.setattr(look_some, "ENOUGH", enough)
        assert validate(folder, "pixels", "object_detection", boxes)[0] == 0
    monkeypatch.undo()
    boxes[17] = 4, 4, 1, 1, 0
    code, said = validate(folder, "pixels", "object_detection", boxes)
    assert code == 2 and "1 of 1 have sides of nothing or less" in said
    code, said = validate(folder, "pixels", "object_detection", np.full((N, 1, 5), -1.0))
    assert code == 2 and "no example has a box" in said


def table(folder: Path, columns: int, first: str = "0.5") -> None:
    names = [f"f{i}" for i in range(columns)]
    rows = [",".join([first if i == 3 else "0.25"] * columns + [str(i % 4)]) for i in range(60)]
    (folder / "eval.csv").write_text("\n".join([",".join([*names, "kind"]), *rows]))


TABLES = {
    "a row": (FEATURES, "abc", "labels: kind", "tabular_classification", "eval.csv:5: 'abc' in column 'f0'"),
    "a column": (FEATURES - 1, "0.5", "labels: kind", "tabular_classification", "has shape 60x5, the model expects examplesx6"),
    "no labels named": (FEATURES, "0.5", "limit: 50", "tabular_classification", "has shape 60x7, the model expects examplesx6"),
    "another task": (FEATURES, "0.5", "labels: kind", "regression", "task: image_classification or tabular_classification"),
    "": (FEATURES, "0.5", "labels: kind", "tabular_classification", ""),
}


@pytest.mark.parametrize("what", TABLES)
def test_a_table_is_looked_into(what: str, folder: Path) -> None:
    columns, first, labels, task, expected = TABLES[what]
    table(folder, columns, first)
    (folder / "t.yaml").write_text(f"""\
edge_ai_pipeline:
  model: {{path: rows.onnx, task: {task}}}
  dataset: {{path: eval.csv, {labels}}}
  optimization: {{frameworks: [onnx_runtime]}}
""")
    done = call(("validate", folder / "t.yaml"), folder, {})
    assert (done.returncode, expected in done.stderr) == (2 if expected else 0, True), done.stderr


def pictures(folder: Path) -> None:
    """Images 8 x 8 and one that is not, and boxes on the last of them."""
    from PIL import Image

    (folder / "images").mkdir(exist_ok=True)
    for i in range(9):
        Image.fromarray(R.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / f"images/{i}.png")


def coco(box: list[int]) -> str:
    return json.dumps(
        {
            "images": [{"id": i, "file_name": f"{i}.png"} for i in range(9)],
            "annotations": [{"image_id": 8, "category_id": 1, "bbox": box}],
            "categories": [{"id": 1, "name": "thing"}],
        }
    )


PICTURES = {
    "": ("annotations: boxes.json", [1, 1, 4, 4], "object_detection", ""),
    "a box without size": ("annotations: boxes.json", [1, 1, 0, 4], "object_detection", "1 of 1 have sides of nothing or less"),
    "channels": ("image: {color: gray}", [1, 1, 4, 4], "semantic_segmentation", "the model expects examplesx3x8x8"),
    "another size": ("image: {resize: [9, 9]}", [1, 1, 4, 4], "semantic_segmentation", "has shape ?x3x9x9"),
}


@pytest.mark.parametrize("what", PICTURES)
def test_images_are_looked_at(what: str, folder: Path) -> None:
    said, box, task, expected = PICTURES[what]
    pictures(folder)
    (folder / "boxes.json").write_text(coco(box))
    (folder / "i.yaml").write_text(f"""\
edge_ai_pipeline:
  model: {{path: pixels.onnx, task: {task}}}
  dataset: {{path: images, {said}}}
  optimization: {{frameworks: [onnx_runtime]}}
""")
    done = call(("validate", folder / "i.yaml"), folder, {})
    assert (done.returncode, expected in done.stderr) == (2 if expected else 0, True), done.stderr
