"""NumPy archives: arrays named like the model's inputs, or `x` for a model with one input; labels in `y`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from gatekeeper.config.types import Dataset
from gatekeeper.errors import NotMeasured
from gatekeeper.models.info import TensorInfo

LABEL_KEYS = ("y", "labels", "label", "targets", "target")


def reads(path: Path | None, dataset: Dataset) -> bool:
    """By suffix."""
    return path is not None and path.suffix.lower() == ".npz"


def read(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool) -> tuple[dict[str, Any], Any]:
    """Arrays by model input name, and the labels if there are any."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        hint = "save plain number arrays, not objects" if "pickle" in str(error).lower() else "is it complete?"
        raise NotMeasured("data", f"{path}: cannot be read as .npz ({error}); {hint}.") from None
    labels = _labels(path, dataset, arrays) if labelled else None
    for key in (dataset.labels, *LABEL_KEYS):
        if key and key not in {t.name for t in inputs}:
            arrays.pop(key, None)
    for name, key in dataset.inputs.items():
        if key not in arrays:
            raise NotMeasured(
                "data", f"{path}: no array '{key}' (found {', '.join(arrays) or 'none'}). Correct `dataset.inputs`."
            )
        arrays[name] = arrays[key]
    if len(inputs) == 1 and inputs[0].name not in arrays and len(arrays) == 1:
        arrays = {inputs[0].name: next(iter(arrays.values()))}
    if len(inputs) == 1 and inputs[0].name not in arrays and "x" in arrays:
        arrays = {inputs[0].name: arrays["x"]}
    return {t.name: arrays[t.name] for t in inputs if t.name in arrays} or arrays, labels


def _labels(path: Path, dataset: Dataset, arrays: dict[str, Any]) -> Any:
    if dataset.labels is not None:
        if dataset.labels not in arrays:
            raise NotMeasured(
                "data", f"{path}: no labels '{dataset.labels}' (found {', '.join(arrays) or 'none'}). Correct `dataset.labels`."
            )
        return arrays[dataset.labels]
    return next((arrays[key] for key in LABEL_KEYS if key in arrays), None)
