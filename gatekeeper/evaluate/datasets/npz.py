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
    return by_name(path, _arrays(path), dataset, inputs, labelled)


def by_name(
    path: Path, arrays: dict[str, Any], dataset: Dataset, inputs: list[TensorInfo], labelled: bool
) -> tuple[dict[str, Any], Any]:
    """The same of arrays that are read already."""
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
        raise _unreadable(path, error) from None


def some_rows(path: Path, most: int, seed: int = 0, enough: int = 0) -> tuple[dict[str, Any], dict[str, int]]:
    """Of every array the first row, the last and some between, and how many it has; of one that is packed the first rows.

    An array of up to `enough` bytes is read whole. What is left is not read, however large it is.
    """
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = {info: info.filename.removesuffix(".npy") for info in archive.infolist()}
            read = {name: _rows(path, archive, info, most, seed, enough) for info, name in names.items()}
    except Exception as error:  # as above
        raise _unreadable(path, error) from None
    return {name: rows for name, (rows, _) in read.items()}, {name: count for name, (_, count) in read.items()}


def _rows(path: Path, archive: Any, info: Any, most: int, seed: int, enough: int) -> tuple[Any, int]:
    import zipfile

    import numpy as np

    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(member)
        if dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
        begin = member.tell()
        small = not shape or shape[0] <= most or 0 in shape or info.file_size <= enough
        if small or (fortran and info.compress_type != zipfile.ZIP_STORED):
            member.seek(0)
            return np.lib.format.read_array(member, allow_pickle=False), shape[0] if shape else 1
        if info.compress_type != zipfile.ZIP_STORED:
            size = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
            return np.frombuffer(member.read(most * size), dtype).reshape(-1, *shape[1:]), shape[0]
    whole = np.memmap(path, dtype, "r", _start(path, info) + begin, shape, "F" if fortran else "C")
    between = np.random.default_rng(seed).integers(0, shape[0], most - 2)
    return np.array(whole[np.unique([0, *between, shape[0] - 1])]), shape[0]


def _start(path: Path, info: Any) -> int:
    """Where in a .zip a member's content begins: after a header of 30 bytes, a name and more, whose lengths it holds."""
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)
        name, more = (int.from_bytes(file.read(2), "little") for _ in range(2))
    return int(info.header_offset) + 30 + name + more


def _unreadable(path: Path, error: Exception) -> NotMeasured:
    hint = "Save plain number arrays, not objects" if "pickle" in str(error).lower() else "Save it again with numpy.savez"
    return NotMeasured("data", f"{path}: cannot be read as .npz ({' '.join(str(error).split())}). {hint}.")


def _labels(path: Path, dataset: Dataset, arrays: dict[str, Any], inputs: set[str]) -> Any:
    if dataset.labels is not None:
        if dataset.labels not in arrays:
            raise NotMeasured(
                "data", f"{path}: no labels '{dataset.labels}' (found {', '.join(arrays) or 'none'}). Correct `dataset.labels`."
            )
        return arrays[dataset.labels]
    return next((arrays[key] for key in LABEL_KEYS if key in arrays and key not in inputs), None)
