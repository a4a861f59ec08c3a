"""A folder of images and COCO's .json: boxes move with their images, classes are numbered in the order of ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.config.sections.dataset import Dataset, Image
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.datasets import coco, images
from gatekeeper.evaluate.detection.truth import true_boxes
from gatekeeper.models.info import TensorInfo

INPUTS = [TensorInfo(name="x", dtype="float32", shape=("n", 3, 32, 64))]


def write(folder: Path, **changes: Any) -> Path:
    """Two images of other sizes, and one without a box."""
    from PIL import Image as Pillow

    data = folder / "pictures"
    data.mkdir(exist_ok=True)
    for name, size in (("b.png", (128, 64)), ("a.png", (64, 32)), ("c.png", (32, 64))):
        Pillow.new("RGB", size, (255, 0, 0)).save(data / name)
    described: dict[str, Any] = {
        "images": [{"id": 5, "file_name": "b.png"}, {"id": 2, "file_name": "a.png"}, {"id": 9, "file_name": "c.png"}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}],
        "annotations": [
            {"image_id": 5, "category_id": 7, "bbox": [10, 20, 40, 20]},
            {"image_id": 2, "category_id": 3, "bbox": [0, 0, 64, 32], "iscrowd": 1},
            {"image_id": 5, "category_id": 3, "bbox": [0, 0, 2, 2]},
        ],
    }
    (folder / "instances.json").write_text(json.dumps(described | changes))
    return data


def dataset(**changes: Any) -> Dataset:
    values: dict[str, Any] = {"path": "pictures", "annotations": "instances.json", "image": Image(resize=[32, 64])}
    return Dataset(**(values | changes))


def test_boxes_are_in_pixels_of_the_input(tmp_path: Path) -> None:
    data = write(tmp_path)
    assert coco.reads(data, dataset()) and not coco.reads(data, dataset(annotations=None))
    arrays, boxes = coco.read(data, dataset(), INPUTS, True)
    assert arrays["x"].shape == (3, 3, 32, 64)
    assert [own.tolist() for own in boxes] == [
        [[5, 10, 25, 20, 1, 0], [0, 0, 1, 1, 0, 0]],
        [[0, 0, 64, 32, 0, 1]],
        [],
    ]
    assert true_boxes(boxes, "data").shape == (3, 2, 6)
    _, ids = coco.read(data, dataset(class_ids=True), INPUTS, True)
    assert [own[:, 4].tolist() for own in ids] == [[7, 3], [3], []]


def test_the_file_may_lie_in_the_folder_and_a_calibration_set_needs_none(tmp_path: Path) -> None:
    data = write(tmp_path)
    (tmp_path / "instances.json").rename(data / "instances.json")
    _, boxes = coco.read(data, dataset(), INPUTS, True)
    assert len(boxes) == 3
    (data / "instances.json").unlink()
    arrays, nothing = coco.read(data, dataset(), INPUTS, False)
    assert nothing is None
    assert (arrays["x"] == images.read(data, dataset(annotations=None), INPUTS, False)[0]["x"]).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"annotations": [{"image_id": 4, "category_id": 7, "bbox": [1, 1, 2, 2]}]}, "an image or a category that is not listed"),
        ({"annotations": [{"image_id": 5, "category_id": 8, "bbox": [1, 1, 2, 2]}]}, "of category 8, which is not listed"),
        ({"annotations": [{"image_id": 5, "category_id": 7}]}, "no bbox of four numbers"),
        ({"annotations": [{"image_id": 5, "category_id": 7, "bbox": [1, 2]}]}, "no bbox of four numbers"),
        ({"images": []}, "it lists no images"),
        ({"categories": None}, "no list of categories"),
        ({"images": [{"id": 1, "file_name": "lost.png"}]}, "cannot be read as an image"),
    ],
)
def test_what_is_not_cocos_is_refused(changes: Any, said: str, tmp_path: Path) -> None:
    data = write(tmp_path, **changes)
    with pytest.raises(NotMeasured, match=said):
        coco.read(data, dataset(), INPUTS, True)


def test_negative_sizes_and_no_objects_are_refused(tmp_path: Path) -> None:
    data = write(tmp_path, annotations=[{"image_id": 5, "category_id": 7, "bbox": [10, 10, -4, 5]}])
    with pytest.raises(NotMeasured, match="sides of nothing or less"):
        true_boxes(coco.read(data, dataset(), INPUTS, True)[1], "data")
    data = write(tmp_path, annotations=[])
    with pytest.raises(NotMeasured, match="no example has a box"):
        true_boxes(coco.read(data, dataset(), INPUTS, True)[1], "data")


def test_sizes_that_differ_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    data = write(tmp_path)
    with pytest.raises(NotMeasured, match="differ in size"):
        coco.read(data, dataset(image=None), INPUTS, True)
    with pytest.raises(NotMeasured, match="no such file"):
        coco.read(data, dataset(annotations="other.json"), INPUTS, True)
    with pytest.raises(NotMeasured, match="belongs to a folder of images"):
        coco.read(tmp_path / "instances.json", dataset(), INPUTS, True)
    assert np.isfinite(coco.read(data, dataset(), INPUTS, True)[0]["x"]).all()
