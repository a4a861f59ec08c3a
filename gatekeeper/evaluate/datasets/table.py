"""CSV files with a header: one row an example, one column a feature, and a column of labels."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from gatekeeper.config.sections.dataset import Dataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.datasets.npz import LABEL_KEYS
from gatekeeper.models.info import TensorInfo


def reads(path: Path | None, dataset: Dataset) -> bool:
    """By suffix."""
    return path is not None and path.suffix.lower() == ".csv"


def read(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool) -> tuple[dict[str, Any], Any]:
    """All feature columns, in file order, become the model's one input."""
    import numpy as np

    if len(inputs) != 1:
        raise NotMeasured("data", f"{path}: the model has {len(inputs)} inputs and a CSV file holds one. Use .npz.")
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.reader(file)
        header = [name.strip() for name in next(rows, [])]
        if not header:
            raise NotMeasured("data", f"{path}:1: the file is empty. The first line must name the columns.")
        if all(_is_number(name) for name in header):
            raise NotMeasured("data", f"{path}:1: the first line must name the columns, and these are numbers. Add a header.")
        label = _label_column(path, dataset, header)
        table: list[list[float]] = []
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise NotMeasured(
                    "data", f"{path}:{rows.line_num}: {len(row)} values, the header has {len(header)}. Repair the line."
                )
            table.append([_number(path, rows.line_num, name, text) for name, text in zip(header, row, strict=True)])
    array = np.asarray(table, dtype=np.float64).reshape(len(table), len(header))
    features = [i for i in range(len(header)) if i != label]
    labels = None
    if labelled and label is not None:
        labels = array[:, label]
        if len(labels) and (labels == np.round(labels)).all():
            labels = labels.astype(np.int64)
    values = array[:, features]
    if not inputs[0].dtype.startswith("float") and (values == np.round(values)).all():
        values = values.astype(np.int64)  # text has no type; whole numbers fit a model that wants whole numbers
    return {inputs[0].name: values}, labels


def _label_column(path: Path, dataset: Dataset, header: list[str]) -> int | None:
    if dataset.labels is not None:
        if dataset.labels not in header:
            raise NotMeasured(
                "data", f"{path}:1: no column '{dataset.labels}' (found {', '.join(header)}). Correct `dataset.labels`."
            )
        return header.index(dataset.labels)
    return next((header.index(key) for key in LABEL_KEYS if key in header), None)


def _number(path: Path, line: int, column: str, text: str) -> float:
    if not _is_number(text) or not math.isfinite(float(text)):
        raise NotMeasured("data", f"{path}:{line}: '{text}' in column '{column}' is not a finite number. Repair the line.")
    return float(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
