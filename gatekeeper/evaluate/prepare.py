"""From the user's dataset to plain arrays that fit the model, or a message that says what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from gatekeeper.config.sections.dataset import Dataset
from gatekeeper.data.corruptions._base import Corruption
from gatekeeper.data.draw import evenly
from gatekeeper.data.overlap import write_examples
from gatekeeper.data.prepared import IGNORED, write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.slices import slices_of
from gatekeeper.evaluate.tasks._base import judged_as
from gatekeeper.frameworks._spec import TextSpec
from gatekeeper.models.info import NO_TENSORS, TEXT, TensorInfo
from gatekeeper.models.layout import Constant, Layout, constant
from gatekeeper.models.submodules import left_out
from gatekeeper.process.messages import Answer, Held, Request
from gatekeeper.registry import Registry

DATASETS = Registry("evaluate.datasets")
MOST_AXES = 6


class Prepare(Request, frozen=True, kw_only=True):
    """Read a dataset in the user's format, check it against the model, write it as plain arrays."""

    dataset: dict[str, Any]  # the `dataset` section
    path: str | None
    folder: str  # of the pipeline file; user code is imported from here
    labelled: bool
    inputs: list[dict[str, Any]]  # of the model: name, dtype, shape
    task: str | None
    destination: str
    text: TextSpec | None = None
    scalars: list[dict[str, Any]] = []  # inputs without axes, of which the file may hold the one value
    layout: Layout = Layout()  # of the other inputs
    corruption: Corruption | None = None  # of a text: arrays are corrupted once they are prepared (gatekeeper/data/corrupted.py)
    seed: int = 0

    def answer(self, held: Held) -> Prepared:
        """Write the arrays."""
        return prepare(self)


class Prepared(Answer, frozen=True, kw_only=True):
    """The dataset was written."""

    examples: int
    labelled: bool


class DatasetReader(Protocol):
    """The shape of a module in gatekeeper/evaluate/datasets."""

    @staticmethod
    def reads(path: Path | None, dataset: Dataset) -> bool:
        """Whether this format is the one."""

    @staticmethod
    def read(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool) -> tuple[dict[str, Any], Any]:
        """Arrays of shape [examples, ...] by model input name or slice, and labels [examples, ...] or None."""


def data_error(message: str) -> NotMeasured:
    """The dataset is at fault."""
    return NotMeasured("data", message)


def prepare(request: Prepare) -> Prepared:
    """Read, check and write one dataset."""
    if request.text is not None:
        from gatekeeper.evaluate.text.prepare import prepare_text

        return prepare_text(request)
    dataset = msgspec.convert(request.dataset, Dataset)
    inputs, scalars = (msgspec.convert(each, list[TensorInfo]) for each in (request.inputs, request.scalars))
    path = Path(request.path) if request.path else None
    if path is not None and not path.exists():
        raise data_error(left_out(path) or f"{path}: no such dataset. Correct the path.")
    for name in DATASETS.names:
        reader = cast(DatasetReader, DATASETS.get(name))
        if reader.reads(path, dataset):
            arrays, labels = reader.read(path or Path(request.folder), dataset, [*inputs, *scalars], request.labelled)
            break
    else:
        raise data_error(f"{path}: unknown dataset format. Use .npz, .csv, a folder of images, or `loader`.")
    source = str(path or dataset.loader)
    fitted = fit_examples(request, dataset, arrays, labels, source)
    folder = Path(request.destination)
    laid = msgspec.structs.replace(request.layout, constants=request.layout.constants | fitted.constants)
    contents = write_prepared(folder, fitted.inputs, fitted.labels, fitted.slices, laid)
    write_examples(folder, fitted.inputs)
    return Prepared(examples=contents.examples, labelled=contents.labelled)


@dataclass(frozen=True)
class Fitted:
    """Examples as the model takes them: inputs and labels, [examples, ...], groups, and what is one value for all of them."""

    inputs: dict[str, Any]
    labels: Any
    slices: dict[str, Any]
    constants: dict[str, Constant]


def fit_examples(request: Prepare, dataset: Dataset, arrays: dict[str, Any], labels: Any, source: str) -> Fitted:
    """Arrays that were read, checked against the model; `NotMeasured` where they do not fit it."""
    inputs, scalars = (msgspec.convert(each, list[TensorInfo]) for each in (request.inputs, request.scalars))
    constants = {tensor.name: one_value(arrays.pop(tensor.name, None), tensor, source) for tensor in scalars}
    arrays = {name: _array(array, name, source) for name, array in arrays.items()}
    if dataset.axis:
        arrays = {
            name: array if name in dataset.sliced_by else _moved(array, dataset.axis, name, source)
            for name, array in arrays.items()
        }
    if labels is not None:
        labels = _array(judged_as(request.task).label(labels, dataset, source), "labels", source)
    arrays, labels = _limited(arrays, labels, dataset.limit)
    feeds = {name: array for name, array in arrays.items() if name not in dataset.sliced_by or name in {t.name for t in inputs}}
    checked = {tensor.name: _fit(feeds, tensor, source) for tensor in inputs}
    examples = len(next(iter(checked.values())))
    slices = slices_of(arrays, dataset.sliced_by if request.labelled else [], examples, source)
    found = as_read(_labels(labels, checked, source), dataset.ignore) if request.labelled else None
    return Fitted(checked, found, slices, constants)


def one_value(found: Any, tensor: TensorInfo, source: str) -> Constant:
    """The one value of an input without axes, which a file has once, or the same for every example."""
    import numpy as np

    remedy = f"Say it with `inputs: {{{tensor.name}: {{constant: ...}}}}`, or save one in the file."
    if found is None:
        raise data_error(f"{source}: the model's input '{tensor.name}' is one value for all examples, and none is here. {remedy}")
    values = np.unique(np.asarray(found))
    if values.size != 1:
        said = f"'{tensor.name}' has {values.size} different values, and the model takes one for all examples."
        raise data_error(f"{source}: {said} {remedy} Judge other values by a file of their own.")
    try:
        return constant(tensor, values.astype(str if tensor.dtype == TEXT else tensor.dtype)[0].item())
    except (TypeError, ValueError):
        raise data_error(f"{source}: '{tensor.name}' is {values.dtype}, the model expects {tensor.dtype}. {remedy}") from None


def _array(values: Any, name: str, source: str) -> Any:
    """An array with an axis of examples."""
    import numpy as np

    try:
        array = np.asarray(values)
    except ValueError:
        raise data_error(f"{source}: '{name}' is ragged: its examples differ in shape. Pad or crop them to one shape.") from None
    if array.ndim == 0:
        raise data_error(f"{source}: '{name}' is one value and has no examples. Its first axis must be the examples.")
    return array


def _moved(array: Any, axis: int, name: str, source: str) -> Any:
    """The array with its examples first."""
    import numpy as np

    if axis >= array.ndim:
        raise data_error(f"{source}: '{name}' has {array.ndim} axes and `dataset.axis` is {axis}, counted from 0. Correct it.")
    return np.moveaxis(array, axis, 0)


def _limited(arrays: dict[str, Any], labels: Any, limit: int | None) -> tuple[dict[str, Any], Any]:
    """So many examples, evenly spaced: a folder of images is sorted by class. What does not match is left for its own message."""
    counts = {len(array) for array in (*arrays.values(), *([] if labels is None else [labels]))}
    if limit is None or len(counts) != 1 or limit >= min(counts):
        return arrays, labels
    kept = evenly(counts.pop(), limit)
    return {name: array[kept] for name, array in arrays.items()}, None if labels is None else labels[kept]


def _fit(arrays: dict[str, Any], tensor: TensorInfo, source: str) -> Any:
    """One input array, converted to the model's type where that loses nothing that matters."""
    import numpy as np

    if tensor.name not in arrays:
        raise data_error(
            f"{source}: no array for the model's input '{tensor.name}' (found {', '.join(arrays) or 'none'}). "
            f"Name it like the input, map it with `dataset.inputs`, or say `inputs: {{{tensor.name}: ...}}`: a `constant`, "
            "or a state with the output to `carry`."
        )
    array = arrays[tensor.name]
    if not len(array):
        raise data_error(f"{source}: '{tensor.name}' has no examples. An evaluation set needs at least 59, better 500.")
    counts = {name: len(a) for name, a in arrays.items()}
    if len(set(counts.values())) > 1:
        raise data_error(f"{source}: the inputs have different numbers of examples: {counts}. Make them equal.")
    if tensor.dtype == TEXT:
        array = _texts(array, f"{source}: '{tensor.name}'")
    else:
        expected = np.dtype(tensor.dtype) if tensor.dtype in np.sctypeDict else None
        if expected is None or expected.kind not in "biuf":
            called = NO_TENSORS.get(tensor.dtype, f"of type {tensor.dtype}")
            raise data_error(
                f"the model's input '{tensor.name}' is {called}, which no dataset holds. Export the model without it."
            )
        if array.dtype != expected:
            array = _cast(array, expected, f"{source}: '{tensor.name}'")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise data_error(f"{source}: '{tensor.name}' holds NaN or infinite values. Remove or repair those examples.")
    wanted = tensor.shape[1:]
    if tensor.shape and (
        array.ndim != len(tensor.shape)
        or any(isinstance(w, int) and w > 0 and w != got for w, got in zip(wanted, array.shape[1:], strict=True))
    ):
        shown = "x".join(str(d) if d not in (None, "") else "?" for d in ["examples", *wanted])
        got = "x".join(map(str, array.shape))
        raise data_error(f"{source}: '{tensor.name}' has shape {got}, the model expects {shown}. {_otherwise(array, wanted)}")
    return array


def _texts(array: Any, what: str) -> Any:
    """An array of texts, whatever they were kept as."""
    import numpy as np

    if array.dtype.kind == "S":
        try:
            return np.char.decode(array, "utf-8")
        except UnicodeDecodeError:
            raise data_error(f"{what} holds bytes that are not UTF-8. Save texts.") from None
    if array.dtype.kind == "O" and all(isinstance(each, str) for each in array.reshape(-1)):
        return array.astype(str)
    if array.dtype.kind != "U":
        raise data_error(f"{what} is {array.dtype}, and the model takes texts. Save them as an array of strings.")
    return array


def _otherwise(array: Any, wanted: list[int | str | None]) -> str:
    """What to do about another shape: axes in another order are moved, as reshaping would mix what they hold."""
    rest = array.shape[1:]
    orders = permutations(range(len(rest))) if len(rest) == len(wanted) <= MOST_AXES else []
    fits = (order for order in orders if all(_may_be(w, rest[i]) for w, i in zip(wanted, order, strict=True)))
    order = next(fits, None)
    if order is None:
        return "Save it in the shape that the model takes."
    axes = ", ".join(str(i + 1) for i in order)
    return f"Its axes are in another order: save numpy.transpose(array, (0, {axes})), which keeps what each holds."


def _may_be(wanted: int | str | None, length: int) -> bool:
    return not isinstance(wanted, int) or wanted <= 0 or wanted == length


def _cast(array: Any, expected: Any, what: str) -> Any:
    """The array in another element type, where every value survives."""
    import numpy as np

    between_integers = array.dtype.kind in "iu" and expected.kind in "iu"
    if array.dtype.kind not in "biuf" or not (between_integers or np.can_cast(array.dtype, expected, "same_kind")):
        raise data_error(f"{what} is {array.dtype}, the model expects {expected}. Convert it when saving the file.")
    limits = np.iinfo(expected) if expected.kind in "iu" else np.finfo(expected) if expected.kind == "f" else None
    low, high = array.min(), array.max()
    if limits is not None and np.isfinite([low, high]).all() and not limits.min <= low <= high <= limits.max:
        raise data_error(
            f"{what} holds values from {low} to {high}, which {expected} cannot hold. Convert it when saving the file."
        )
    return array.astype(expected)


def _labels(labels: Any, inputs: dict[str, Any], source: str) -> Any:
    import numpy as np

    if labels is None:
        return None
    array, examples = labels, len(next(iter(inputs.values())))
    if len(array) != examples:
        raise data_error(f"{source}: {len(array)} labels for {examples} examples. Every example needs one.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise data_error(f"{source}: the labels hold NaN or infinite values. Remove or repair those examples.")
    if array.dtype.kind == "O" and all(isinstance(label, str) for label in array.reshape(-1)):
        array = array.astype(str)
    if array.dtype.kind not in "biufU":
        raise data_error(f"{source}: the labels are {array.dtype}, neither numbers nor names. Save class indices.")
    return array


def as_read(labels: Any, ignore: int) -> Any:
    """Labels with `IGNORED` where the user's own number says that nobody asks."""
    import numpy as np

    if labels is None or ignore == IGNORED or labels.dtype.kind not in "biuf" or not (labels == ignore).any():
        return labels
    return np.where(labels == ignore, IGNORED, labels.astype(float if labels.dtype.kind == "f" else np.int64))
