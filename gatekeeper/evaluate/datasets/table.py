"""CSV files with a header: one row an example, one column a feature, and a column of labels.

Of a model that takes texts, columns are texts.
"""

from __future__ import annotations

import csv
import itertools
import math
import re
from pathlib import Path
from typing import Any

from gatekeeper.config.sections.dataset import Dataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.datasets.npz import LABEL_KEYS
from gatekeeper.evaluate.slices import check_there
from gatekeeper.models.info import TEXT, TensorInfo

_WHOLE = re.compile(r"\s*[-+]?[0-9]{1,30}\s*")


def reads(path: Path | None, dataset: Dataset) -> bool:
    """By suffix."""
    return path is not None and path.suffix.lower() == ".csv"


def read(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool) -> tuple[dict[str, Any], Any]:
    """All feature columns, in file order, become the model's one input; of several each takes the column that has its name."""
    return some(path, dataset, inputs, labelled, None)


def some(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool, most: int | None) -> tuple[dict[str, Any], Any]:
    """The same of the first `most` rows."""
    import numpy as np

    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.reader(file)
        header = [name.strip() for name in next(rows, [])]
        if not header:
            raise NotMeasured("data", f"{path}:1: the file is empty. The first line must name the columns.")
        if all(_is_number(name) for name in header):
            raise NotMeasured("data", f"{path}:1: the first line must name the columns, and these are numbers. Add a header.")
        label = _label_column(path, dataset, header)
        if labelled:
            check_there(dataset.sliced_by, header, f"{path}:1")
        slices: dict[str, list[str]] = {name: [] for name in dataset.sliced_by if name in header}
        columns = _columns(path, dataset, inputs, header, label, list(slices))
        texts = {i for tensor in inputs if tensor.dtype == TEXT for i in columns[tensor.name]}
        numbers = {i for own in columns.values() for i in own} - texts | ({label} if label is not None else set())
        table: list[list[Any]] = []  # whole numbers as int: they may be larger than a float holds exactly
        for row in itertools.islice(rows, most):
            if not row:
                continue
            if len(row) != len(header):
                raise NotMeasured(
                    "data", f"{path}:{rows.line_num}: {len(row)} values, the header has {len(header)}. Repair the line."
                )
            for name, groups in slices.items():
                groups.append(row[header.index(name)].strip())
            checked = [_number(path, rows.line_num, header[i], text) if i in numbers else text for i, text in enumerate(row)]
            for i in texts:
                _check_text(path, rows.line_num, header[i], row[i])
            table.append(checked)
    arrays = {tensor.name: _array(table, columns[tensor.name], tensor) for tensor in inputs if tensor.name in columns}
    labels = _column([row[label] for row in table], True) if labelled and label is not None else None
    return {name: np.asarray(groups) for name, groups in slices.items()} | arrays, labels


def _columns(
    path: Path, dataset: Dataset, inputs: list[TensorInfo], header: list[str], label: int | None, slices: list[str]
) -> dict[str, list[int]]:
    """Which columns each input takes."""
    if len(inputs) == 1 and not dataset.inputs:
        apart = _apart([header.index(name) for name in slices], len(header) - (label is not None), inputs[0])
        return {inputs[0].name: [i for i in range(len(header)) if i != label and i not in apart]}
    found = {}
    for tensor in inputs:
        column = dataset.inputs.get(tensor.name, tensor.name)
        if column in header:
            found[tensor.name] = [header.index(column)]
        elif not tensor.scalar:
            said = f"the model has {len(inputs)} inputs, each of which takes the column that has its name, and none is '{column}'"
            remedy = "Name it like the input, map it with `dataset.inputs`, or use .npz."
            raise NotMeasured("data", f"{path}:1: {said} (found {', '.join(header)}). {remedy}")
    return found


def _array(table: list[list[Any]], columns: list[int], tensor: TensorInfo) -> Any:
    """Columns as one array, [examples, columns], or [examples] of a single one where the input has no other axis."""
    import numpy as np

    values = [[row[i] for i in columns] for row in table]
    flat = (len(columns) == 1 and len(tensor.shape) == 1) or tensor.scalar
    shape = (len(table),) if flat else (len(table), len(columns))
    if tensor.dtype == TEXT:
        return np.asarray(values, dtype=str).reshape(shape)
    # Text has no type; whole numbers fit a model that wants whole numbers.
    return _column(values, not tensor.dtype.startswith("float")).reshape(shape)


def _check_text(path: Path, line: int, column: str, text: str) -> None:
    if "\ufffd" in text:  # in place of what is no UTF-8
        raise NotMeasured("data", f"{path}:{line}: column '{column}' holds bytes that are no text. Save the file as UTF-8.")


def _apart(slices: list[int], columns: int, tensor: TensorInfo) -> set[int]:
    """Columns of slices, which are no features but where the model takes as many as there are with them."""
    width = tensor.shape[-1] if len(tensor.shape) == 2 else None
    return set() if width == columns else set(slices)


def _label_column(path: Path, dataset: Dataset, header: list[str]) -> int | None:
    if dataset.labels is not None:
        if dataset.labels not in header:
            raise NotMeasured(
                "data", f"{path}:1: no column '{dataset.labels}' (found {', '.join(header)}). Correct `dataset.labels`."
            )
        return header.index(dataset.labels)
    return next((header.index(key) for key in LABEL_KEYS if key in header), None)


def _column(numbers: list[Any], exact: bool) -> Any:
    """As integers where all are whole and `exact` asks for them, of the type that holds all; else as floats."""
    import numpy as np

    floats = np.asarray(numbers, dtype=np.float64)
    if not (exact and floats.size and (floats == np.round(floats)).all()):
        return floats
    whole = np.vectorize(int, otypes=[object])(np.asarray(numbers, dtype=object))
    low, high = whole.min(), whole.max()
    fitting = (kind for kind in (np.int64, np.uint64) if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    kind = next(fitting, None)
    return floats if kind is None else whole.astype(kind)


def _number(path: Path, line: int, column: str, text: str) -> float:
    if not _is_number(text) or not math.isfinite(float(text)):
        raise NotMeasured("data", f"{path}:{line}: '{text}' in column '{column}' is not a finite number. Repair the line.")
    return int(text) if _WHOLE.fullmatch(text) else float(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
