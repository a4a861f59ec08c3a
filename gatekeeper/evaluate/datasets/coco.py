"""A folder of images and their boxes in COCO's form: `dataset.annotations` names the .json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gatekeeper.config.sections.dataset import Dataset, Image
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.datasets import images
from gatekeeper.evaluate.datasets.images import pixels
from gatekeeper.models.info import TensorInfo


def reads(path: Path | None, dataset: Dataset) -> bool:
    """When annotations are named."""
    return dataset.annotations is not None


def read(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool) -> tuple[dict[str, Any], Any]:
    """Every image of the file, and its boxes in pixels of the model's input; classes are numbered from 0 in the order of ids."""
    return some(path, dataset, inputs, labelled, None)


def some(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool, most: int | None) -> tuple[dict[str, Any], Any]:
    """The first `most` images and the boxes of all, those of the others in pixels of their own."""
    import numpy as np

    if not labelled:  # a calibration set, which is another folder
        return images.some(path, dataset, inputs, labelled, most)
    if not path.is_dir():
        raise NotMeasured("data", f"{path}: `dataset.annotations` belongs to a folder of images. Name the folder with `path`.")
    table = _beside(path, dataset.annotations or "")
    if len(inputs) != 1:
        raise NotMeasured("data", f"{path}: the model has {len(inputs)} inputs and a folder of images holds one. Use a loader.")
    described = _read(table)
    kinds = {each: i for i, each in enumerate(sorted(int(kind["id"]) for kind in described["categories"]))}
    settings = dataset.image or Image()
    arrays: list[Any] = []
    sizes: dict[Any, tuple[int, float, float]] = {}
    for image in described["images"]:
        if most is not None and len(arrays) >= most:
            sizes[image["id"]] = (len(sizes), 1.0, 1.0)
            continue
        array, size = pixels(path / str(image["file_name"]), settings, inputs[0].dtype)
        shape = array.shape[1:] if settings.layout == "nchw" else array.shape[:2]
        arrays.append(array)
        sizes[image["id"]] = (len(sizes), shape[1] / size[0], shape[0] / size[1])
    if not arrays:
        raise NotMeasured("data", f"{table}: it lists no images. Give the file of the images in {path}.")
    if len(shapes := {array.shape for array in arrays}) > 1:
        raise NotMeasured("data", f"{path}: the images differ in size ({len(shapes)} sizes). Set `dataset.image.resize`.")
    boxes = _boxes(described["annotations"], sizes, kinds, table, dataset.class_ids)
    return {inputs[0].name: np.stack(arrays)}, boxes


def _beside(folder: Path, name: str) -> Path:
    """The file: absolute, in the folder, or beside it."""
    for place in (folder / name, folder.parent / name):
        if place.is_file():
            return place
    raise NotMeasured("data", f"no such file: {folder / name} or {folder.parent / name}. Correct `dataset.annotations`.")


def _read(table: Path) -> dict[str, Any]:
    try:
        found = json.loads(table.read_bytes())
        missing = [key for key in ("images", "annotations", "categories") if not isinstance(found.get(key), list)]
    except (OSError, ValueError, AttributeError) as error:
        raise NotMeasured("data", f"{table}: cannot be read as COCO's .json ({error}). Write it again.") from None
    if missing:
        raise NotMeasured("data", f"{table}: it has no list of {', '.join(missing)}, which COCO's form has. Write it again.")
    return dict(found)


def _boxes(
    annotations: list[Any], sizes: dict[Any, tuple[int, float, float]], kinds: dict[int, int], table: Path, ids: bool
) -> list[Any]:
    """Of each image its boxes, [boxes, 6]."""
    import numpy as np

    found: list[list[list[float]]] = [[] for _ in sizes]
    for i, each in enumerate(annotations):
        try:
            left, top, wide, high = (float(number) for number in each["bbox"])
            number, across, down = sizes[each["image_id"]]
            kind = int(each["category_id"])
            crowd = int(each.get("iscrowd", 0))
        except (KeyError, TypeError, ValueError) as error:
            said = f"annotation {i} has no bbox of four numbers, or an image or a category that is not listed ({error!r})"
            raise NotMeasured("data", f"{table}: {said}. Correct it.") from None
        if kind not in kinds:
            raise NotMeasured("data", f"{table}: annotation {i} is of category {kind}, which is not listed. Correct it.")
        corners = [left * across, top * down, (left + wide) * across, (top + high) * down]
        found[number].append([*corners, float(kind if ids else kinds[kind]), float(crowd)])
    return [np.asarray(boxes, float).reshape(-1, 6) for boxes in found]
