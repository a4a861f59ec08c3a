"""A folder of images: one subfolder a class (sorted names give the class indices), or `labels.csv`: file,label."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from gatekeeper.config.sections.dataset import Dataset, Image
from gatekeeper.data.draw import evenly
from gatekeeper.errors import NotMeasured
from gatekeeper.files import FETCH, is_pointer
from gatekeeper.models.info import TensorInfo

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}


def reads(path: Path | None, dataset: Dataset) -> bool:
    """Any folder."""
    return path is not None and path.is_dir()


def read(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool) -> tuple[dict[str, Any], Any]:
    """Every image as [channels, height, width] (or NHWC), scaled and normalised as `dataset.image` says."""
    return some(path, dataset, inputs, labelled, None)


def some(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool, most: int | None) -> tuple[dict[str, Any], Any]:
    """The same of `most` images, evenly drawn."""
    import numpy as np

    if len(inputs) != 1:
        raise NotMeasured("data", f"{path}: the model has {len(inputs)} inputs and a folder of images holds one. Use .npz.")
    slices: dict[str, list[str]] = {name: [] for name in dataset.sliced_by}
    listed = _listed(path, slices)
    if not listed:
        raise NotMeasured("data", f"{path}: no images in it. Expected {path.name}/<class>/*.png or labels.csv with file,label.")
    settings, labels = dataset.image or Image(), [label for _, label in listed]
    kept = range(len(listed)) if most is None else evenly(len(listed), min(most, len(listed)))
    arrays = [pixels(listed[i][0], settings, inputs[0].dtype)[0] for i in kept]
    shapes = {a.shape for a in arrays}
    if len(shapes) > 1:
        raise NotMeasured("data", f"{path}: the images differ in size ({len(shapes)} sizes). Set `dataset.image.resize`.")
    grouped = {name: np.asarray(groups)[kept] for name, groups in slices.items() if groups}
    known = labelled and None not in labels
    return grouped | {inputs[0].name: np.stack(arrays)}, np.asarray(labels)[kept] if known else None


def _listed(folder: Path, slices: dict[str, list[str]]) -> list[tuple[Path, int | None]]:
    """Images and their labels; groups, one an image, are added to each of the slices that the table has."""
    table = folder / "labels.csv"
    if table.is_file():
        return _from_table(folder, table, slices)
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not classes:
        return [(f, None) for f in _images(folder)]
    return [(f, index) for index, name in enumerate(classes) for f in _images(name)]


def _images(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())


def _from_table(folder: Path, table: Path, slices: dict[str, list[str]]) -> list[tuple[Path, int | None]]:
    images: list[tuple[Path, int | None]] = []
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.DictReader(file)
        if not {"file", "label"} <= set(rows.fieldnames or ()):
            raise NotMeasured("data", f"{table}:1: the columns must be named file,label.")
        for row in rows:
            image = folder / row["file"]
            if not image.is_file():
                raise NotMeasured("data", f"{table}:{rows.line_num}: no image '{row['file']}' in {folder}. Correct the name.")
            if not re.fullmatch(r"\s*-?[0-9]{1,18}\s*", row["label"] or ""):
                raise NotMeasured("data", f"{table}:{rows.line_num}: the label '{row['label']}' is not a class index.")
            images.append((image, int(row["label"])))
            for name in slices.keys() & set(rows.fieldnames or ()):
                slices[name].append((row[name] or "").strip())
    return images


def pixels(file: Path, settings: Image, dtype: str) -> tuple[Any, tuple[int, int]]:
    """An image as the model takes it, and the file's own width and height."""
    import numpy as np
    from PIL import Image as Pillow

    try:
        with Pillow.open(file) as opened:
            image = opened.convert("L" if settings.color == "gray" else "RGB")
    except Exception as error:  # each of Pillow's formats has its own way to fail on a damaged file
        if is_pointer(file):
            raise NotMeasured("data", f"{file}: a Git LFS pointer, not the image. {FETCH}") from None
        raise NotMeasured("data", f"{file}: cannot be read as an image ({error}). Remove or replace it.") from None
    own = image.size
    if settings.resize:
        height, width = settings.resize
        image = image.resize((width, height), Pillow.Resampling.BILINEAR)
    pixels = np.asarray(image)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if settings.color == "bgr":
        pixels = pixels[:, :, ::-1]
    if not dtype.startswith("float"):
        scaled = pixels  # integer models take the bytes as they are
    else:
        scaled = pixels.astype(np.float32) * np.float32(settings.scale)
        channels = scaled.shape[2]
        for name, values in (("mean", settings.mean), ("std", settings.std)):
            if values and len(values) not in (1, channels):
                raise NotMeasured("data", f"`dataset.image.{name}` has {len(values)} values for {channels} channels.")
        scaled = (scaled - np.asarray(settings.mean or [0], np.float32)) / np.asarray(settings.std or [1], np.float32)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1) if settings.layout == "nchw" else scaled), own
