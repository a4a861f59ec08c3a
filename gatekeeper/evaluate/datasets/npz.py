"""NumPy archives: arrays named like the model's inputs, or `x` for a model with one input; labels in `y`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.config.sections.dataset import Dataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.slices import check_there
from gatekeeper.models.info import TensorInfo

LABEL_KEYS = ("y", "labels", "label", "targets", "target")


def reads(path: Path | None, dataset: Dataset) -> bool:
    """By suffix."""
    return path is not None and path.suffix.lower() == ".npz"


def read(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool) -> tuple[dict[str, Any], Any]:
    """Arrays by model input name, and the labels if there are any."""
    arrays = _arrays(path)
    names = {t.name for t in inputs}
    if labelled:
        check_there(dataset.sliced_by, arrays, str(path))
    mapped = {}
    for name, key in dataset.inputs.items():
        if key not in arrays:
            raise NotMeasured(
                "data", f"{path}: no array '{key}' (found {', '.join(arrays) or 'none'}). Correct `dataset.inputs`."
            )
        mapped[name] = arrays[key]
    used = names | set(dataset.inputs.values())
    labels = _labels(path, dataset, arrays, used) if labelled else None
    others = {dataset.labels, *LABEL_KEYS, *dataset.sliced_by}
    features = {k: a for k, a in arrays.items() if k in used or k not in others} | mapped
    if len(inputs) == 1 and inputs[0].name not in features:
        only = next(iter(features)) if len(features) == 1 else "x"
        if only in features:
            features[inputs[0].name] = features.pop(only)
            used.add(only)
    unused = [k for k in arrays if k not in used and k not in others]
    if labelled and labels is None and unused and not dataset.inputs and names <= features.keys():
        raise NotMeasured(
            "data",
            f"{path}: no labels, and nothing uses {', '.join(unused)}. Call the labels y, or name them with `dataset.labels`.",
        )
    slices = {name: arrays[name] for name in dataset.sliced_by if name in arrays}
    return slices | ({name: features[name] for name in names if name in features} or features), labels


def _arrays(path: Path) -> dict[str, Any]:
    """Every array of the archive, read."""
    import numpy as np

    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # a damaged archive fails in zipfile, zlib, the header's parser or in between
        hint = "Save plain number arrays, not objects" if "pickle" in str(error).lower() else "Save it again with numpy.savez"
        raise NotMeasured("data", f"{path}: cannot be read as .npz ({' '.join(str(error).split())}). {hint}.") from None


def _labels(path: Path, dataset: Dataset, arrays: dict[str, Any], inputs: set[str]) -> Any:
    if dataset.labels is not None:
        if dataset.labels not in arrays:
            raise NotMeasured(
                "data", f"{path}: no labels '{dataset.labels}' (found {', '.join(arrays) or 'none'}). Correct `dataset.labels`."
            )
        return arrays[dataset.labels]
    return next((arrays[key] for key in LABEL_KEYS if key in arrays and key not in inputs), None)
