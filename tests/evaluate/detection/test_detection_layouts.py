"""The same boxes, laid out as each kind of detector does, are read as the same boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.detection.decode import decoded, image_size, recognised
from gatekeeper.evaluate.detection.form import SCORE
from gatekeeper.evaluate.detection.layouts._base import REGISTRY, Outputs
from gatekeeper.evaluate.detection.suppress import suppressed
from gatekeeper.evaluate.detection.truth import true_boxes

SIZE, KINDS = (64, 128), 3
IMAGES = [
    [(10, 10, 40, 30, 0.9, 0), (60, 5, 120, 60, 0.8, 2)],
    [],
    [(0, 0, 128, 64, 0.7, 1)],
]
"""x1, y1, x2, y2, score, class."""
GUESSES = 84
"""As many cells of 8, 16 and 32 pixels as the images have is 128 + 32 + 8; other layouts may have any number."""


def centred(box: Any) -> list[float]:
    x1, y1, x2, y2 = box[:4]
    return [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]


def shares(box: Any) -> Any:
    return np.asarray(box[:4], float) / (SIZE[1], SIZE[0], SIZE[1], SIZE[0])


def rows(width: int, count: int, of: Any) -> Any:
    array = np.zeros((len(IMAGES), count, width), np.float32)
    for i, boxes in enumerate(IMAGES):
        for k, box in enumerate(boxes):
            array[i, k] = of(box)
    return array


def one_hot(box: Any, before: int = 0, after: int = 0) -> list[float]:
    return [*[0.0] * before, *(box[4] * np.eye(KINDS)[box[5]]), *[0.0] * after]


def logit(scores: Any) -> Any:
    scores = np.clip(scores, 1e-7, 1 - 1e-7)
    return np.log(scores / (1 - scores))


def yolo_x() -> Any:
    array = np.full((len(IMAGES), 168, 5 + KINDS), 0.0, np.float32)
    for i, boxes in enumerate(IMAGES):
        for k, box in enumerate(boxes):
            x, y, w, h = centred(box)
            cell = (k % 16, 0)  # a cell of the first grid, from which the centre may be far
            array[i, k] = [x / 8 - cell[0], y / 8 - cell[1], np.log(w / 8), np.log(h / 8), 1.0, *one_hot(box)]
    return array


def detr() -> dict[str, Any]:
    probabilities = rows(KINDS + 1, GUESSES, lambda box: [*one_hot(box), 1 - box[4]])
    probabilities[..., -1] = np.where(probabilities.sum(axis=-1) == 0, 1.0, probabilities[..., -1])
    boxes = rows(4, GUESSES, lambda box: [*(np.asarray(centred(box)) / (128, 64, 128, 64))])
    return {"logits": np.log(np.maximum(probabilities, 1e-9)), "pred_boxes": boxes}


def flat(order: str, scale: bool) -> Any:
    found = []
    for i, boxes in enumerate(IMAGES):
        for box in boxes:
            corner = shares(box) if scale else np.asarray(box[:4])
            found.append([i, *corner, box[5], box[4]] if order == "yolo" else [i, box[5], box[4], *corner])
    return np.asarray(found, np.float32)


LAYOUTS: dict[str, Any] = {
    "yolo_v8": lambda: {"output0": rows(4 + KINDS, GUESSES, lambda b: [*centred(b), *one_hot(b)]).swapaxes(1, 2)},
    "yolo_v5": lambda: {"output": rows(5 + KINDS, GUESSES, lambda b: [*centred(b), 0.95, *np.asarray(one_hot(b)) / 0.95])},
    "yolo_x": lambda: {"output": yolo_x()},
    "ssd": lambda: {"boxes": rows(4, GUESSES, shares), "scores": rows(KINDS + 1, GUESSES, lambda b: one_hot(b, before=1))},
    "detr": detr,
    "detr_sigmoid": lambda: {
        "logits": logit(rows(KINDS, GUESSES, one_hot)),
        "pred_boxes": detr()["pred_boxes"],
    },
    "boxes": lambda: {
        "num_dets": np.asarray([[len(boxes)] for boxes in IMAGES], np.int32),
        "det_boxes": rows(4, 9, lambda b: b[:4]),
        "det_scores": rows(1, 9, lambda b: b[4:5])[..., 0],
        "det_classes": rows(1, 9, lambda b: b[5:6])[..., 0].astype(np.int32),
    },
    "end_to_end": lambda: {"output0": rows(6, 300, lambda b: b)},
    "rows": lambda: {"output": flat("yolo", False)},
    "detection_output": lambda: {"detection_out": flat("openvino", True)[None, None]},
}


def read(outputs: dict[str, Any], count: int = len(IMAGES), **settings: Any) -> Any:
    return decoded(Outputs(outputs), Boxes(**settings), count, SIZE, Path())


def test_every_layout_is_tried() -> None:
    assert set(LAYOUTS) == set(REGISTRY.names)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_boxes_are_read(layout: str) -> None:
    found = read(LAYOUTS[layout](), layout=layout)
    for i, boxes in enumerate(IMAGES):
        own = found[i][found[i, :, SCORE] >= 0]
        assert own == pytest.approx(np.asarray(sorted(boxes, key=lambda box: -box[4])).reshape(-1, 6), abs=2e-3)


def test_names_and_shapes_tell_some_layouts_and_no_other() -> None:
    told = {name for name, made in LAYOUTS.items() if _recognised(made()) == name}
    assert told == {"yolo_v8", "ssd", "boxes", "rows", "detection_output"}
    assert {_recognised(LAYOUTS[name]()) for name in set(LAYOUTS) - told} == {None}


def _recognised(outputs: dict[str, Any]) -> str | None:
    try:
        return recognised(outputs)
    except NotMeasured as error:
        assert "Say it with `model: {boxes: {layout: ...}}`" in str(error)
        return None


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"boxes"}))
def test_numbers_that_are_not_finite_stay_so(layout: str) -> None:
    outputs = LAYOUTS[layout]()
    for array in outputs.values():
        array[..., -1, -1] = np.nan
    assert np.isnan(read(outputs, layout=layout)).any()


ALIKE = [{"yolo_v5", "yolo_x"}, {"detr", "detr_sigmoid"}, {"ssd", "detr_sigmoid"}]
"""The same boxes in the same shapes, where only the scores differ."""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_another_layout_is_refused_or_finds_nothing_true(layout: str) -> None:
    for other in LAYOUTS:
        if other == layout or {layout, other} in ALIKE:
            continue
        try:
            found = read(LAYOUTS[other](), layout=layout)
        except NotMeasured as error:
            assert "boxes" in str(error)
            continue
        best = found[0][found[0, :, SCORE] >= 0][:, :4]
        assert not np.isclose(best, IMAGES[0][0][:4], atol=1).all(axis=1).any(), other


def test_one_image_needs_no_axis_of_its_own() -> None:
    outputs = {
        "boxes": np.asarray([box[:4] for box in IMAGES[0]], np.float32),
        "labels": np.asarray([box[5] for box in IMAGES[0]]),
        "scores": np.asarray([box[4] for box in IMAGES[0]], np.float32),
    }
    assert read(outputs, count=1)[0, :2] == pytest.approx(np.asarray(IMAGES[0]), abs=1e-5)


def test_the_users_own_function_gets_outputs_and_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_decode.py").write_text(
        "import numpy as np\n"
        "def read(outputs, size):\n    assert size == (64, 128)\n    return [np.asarray(each) for each in outputs['o']]\n"
        "def short(outputs, size):\n    return []\n"
        "def odd(outputs, size):\n    return 'boxes'\n"
    )
    outputs = {"o": rows(6, 2, lambda b: b)}
    settings = {name: Boxes(decode=f"own_decode:{name}") for name in ("read", "short", "odd")}
    monkeypatch.syspath_prepend(str(tmp_path))
    assert decoded(Outputs(outputs), settings["read"], 3, SIZE, tmp_path)[0, :2] == pytest.approx(outputs["o"][0])
    for name, said in (("short", "returned 0 arrays"), ("odd", "returned something else")):
        with pytest.raises(NotMeasured, match=said):
            decoded(Outputs(outputs), settings[name], 3, SIZE, tmp_path)


def test_of_boxes_on_one_another_the_surest_is_kept() -> None:
    boxes = np.asarray([[0, 0, 10, 10, 0.5, 0], [0, 1, 10, 11, 0.9, 0], [0, 1, 10, 11, 0.8, 1], [30, 0, 40, 10, 0.1, 0]])
    assert suppressed(boxes, 0.7)[:, SCORE].tolist() == [0.9, 0.8, 0.1]
    assert suppressed(boxes, 0.95)[:, SCORE].tolist() == [0.9, 0.8, 0.5, 0.1]


def test_the_size_of_images_is_read_from_either_order_of_axes() -> None:
    assert image_size({"x": np.zeros((2, 3, 64, 128))}) == image_size({"x": np.zeros((2, 64, 128, 3))}) == SIZE


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.full((4, 2, 5), -1.0), "no example has a box"),
        (np.asarray([[[10, 10, 5, 20, 0]]], float), "sides of nothing or less, the first 10, 10, 5, 20 of example 0"),
        (np.asarray([[[10, 10, 10, 20, 0]]], float), "sides of nothing or less"),
        (np.asarray([[[1, 1, 5, 20, 0.5]]]), "no whole numbers"),
        (np.asarray([[[1, 1, 5, np.nan, 0]]]), "NaN"),
        (np.asarray([[[1, 1, 5, 9, 0, 1]]], float), "all are crowds"),
        (np.asarray([1, 2, 3]), "they have shape 3"),
        (["cat"], "they are no boxes"),
        ([np.zeros((1, 5)), np.zeros((2, 3))], "those of example 1 have shape"),
    ],
)
def test_labels_that_are_no_boxes_are_refused(labels: Any, said: str) -> None:
    with pytest.raises(NotMeasured, match=said):
        true_boxes(labels, "data")


def test_boxes_come_as_lists_or_padded() -> None:
    lists = [np.asarray([[0, 0, 5, 5, 2]]), np.zeros((0, 5)), np.asarray([[1, 1, 2, 2, 0, 1], [0, 0, 9, 9, 1, 0]])]
    made = true_boxes(lists, "data")
    assert made.shape == (3, 2, 6)
    assert made[:, :, 4].tolist() == [[2, -1], [-1, -1], [0, 1]]
    assert (true_boxes(made, "data") == made).all()
    assert (true_boxes(made[:, :, :5], "data")[:, :, 5] == 0).all()
