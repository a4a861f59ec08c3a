"""A few examples of a set, or all where it is small, read as the whole set is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatekeeper.config.sections.dataset import Dataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.datasets import coco, images, npz, table
from gatekeeper.evaluate.prepare import DATASETS
from gatekeeper.models.info import TensorInfo

ROWS, LINES, PICTURES = 64, 2000, 4

ENOUGH = 1 << 24
"""Bytes of an array that is read whole: what is wrong with any of its rows is seen. Of a larger one some rows are."""


@dataclass(frozen=True)
class Some:
    """Arrays by input and labels, as a dataset's reader gives them. `examples` are all that the set has, None where they are not
    counted; `whole` says that the labels are those of all of them.
    """

    arrays: dict[str, Any]
    labels: Any
    examples: int | None
    whole: bool


def some_examples(
    path: Path, dataset: Dataset, inputs: list[TensorInfo], scalars: list[TensorInfo], labelled: bool
) -> Some | None:
    """None of formats that are not looked into: the user's own code is not run here."""
    reader = next((each for each in map(DATASETS.get, DATASETS.names) if each.reads(path, dataset)), None)
    if reader is npz:
        return _of_arrays(path, dataset, inputs, scalars, labelled)
    if reader not in (table, images, coco):
        return None
    most = LINES if reader is table else PICTURES
    try:
        arrays, labels = reader.some(path, dataset, [*inputs, *scalars], labelled, most)
    except ModuleNotFoundError:  # Pillow, an extra, which the run says
        return None
    count = max(map(len, arrays.values()), default=0)
    return Some(arrays, labels, count if count < most else None, reader is coco or count < most)


def _of_arrays(path: Path, dataset: Dataset, inputs: list[TensorInfo], scalars: list[TensorInfo], labelled: bool) -> Some | None:
    rows, counts = npz.some_rows(path, ROWS, enough=ENOUGH)
    length = {id(rows[name]): counts[name] for name in rows}
    arrays, labels = npz.by_name(path, rows, dataset, [*inputs, *scalars], labelled)
    own = {each.name: arrays[each.name] for each in inputs if each.name in arrays}
    if dataset.axis:
        if any(len(array) != length[id(array)] for array in own.values() if array.ndim):
            return None  # rows are not examples
        of_inputs = {name: array.shape[dataset.axis] for name, array in own.items() if array.ndim > dataset.axis}
    else:
        of_inputs = {name: length[id(array)] for name, array in own.items()}
    if len(set(of_inputs.values())) > 1:
        raise NotMeasured("data", f"{path}: the inputs have different numbers of examples: {of_inputs}. Make them equal.")
    examples = next(iter(of_inputs.values()), 0)
    whole = labels is None or not labels.ndim or len(labels) == length[id(labels)]
    if labels is not None and labels.ndim and length[id(labels)] != examples and of_inputs:
        raise NotMeasured("data", f"{path}: {length[id(labels)]} labels for {examples} examples. Every example needs one.")
    return Some(arrays, labels, examples, whole)
