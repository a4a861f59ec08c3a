"""A look at the data before anything is run: what `run` would refuse after it has made and measured, said at once.

A few rows of each array are read, the first and the last among them, however large the file is.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from gatekeeper.config.also import for_set
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.meaning import Review
from gatekeeper.config.sections.dataset import Dataset
from gatekeeper.config.sections.inputs import asked_as, layout_of
from gatekeeper.errors import GatekeeperError, NotMeasured, Problem
from gatekeeper.evaluate.datasets import npz
from gatekeeper.evaluate.prepare import Prepare, fit_examples
from gatekeeper.models.files import assess, model_format
from gatekeeper.models.info import Assessment

ROWS = 64
FORMATS = ("onnx", "openvino_ir")


def data_problems(loaded: Loaded) -> list[Problem]:
    """What does not fit the model in the sets of a pipeline file, with its place; of formats that are read whole nothing."""
    dataset, path = loaded.pipeline.dataset, loaded.model_path()
    if dataset is None or path is None or model_format(path) not in FORMATS or dataset.axis:
        return []
    try:
        model = asked_as(loaded, assess(path))
    except GatekeeperError:  # the run says what is wrong with it
        return []
    review = Review(loaded)
    for key in ("path", "calibration"):
        name = getattr(dataset, key)
        if name is not None and npz.reads(loaded.folder / name, dataset):
            try:
                _look(loaded, dataset, model, loaded.folder / name, labelled=key == "path")
            except NotMeasured as error:
                review.add(("dataset", key), str(error))
    for index, also in enumerate(dataset.also):
        own = for_set(loaded, also)
        about = own.pipeline.dataset
        if about is not None and also.path is not None and npz.reads(loaded.folder / also.path, about):
            try:
                _look(own, about, model, loaded.folder / also.path, labelled=True)
            except NotMeasured as error:
                review.add(("dataset", "also", index, "path"), str(error))
    return review.problems


def _look(loaded: Loaded, dataset: Dataset, model: Assessment, path: Path, labelled: bool) -> None:
    """Raise what reading the whole set would, as far as its rows tell."""
    layout = layout_of(loaded, model)
    inputs, scalars = layout.seen(model).inputs, layout.untold(model)
    rows, counts = npz.some_rows(path, ROWS)
    length = {id(rows[name]): counts[name] for name in rows}
    arrays, labels = npz.by_name(path, rows, dataset, [*inputs, *scalars], labelled)
    of_inputs = {each.name: length[id(arrays[each.name])] for each in inputs if each.name in arrays}
    if len(set(of_inputs.values())) > 1:
        raise NotMeasured("data", f"{path}: the inputs have different numbers of examples: {of_inputs}. Make them equal.")
    examples = next(iter(of_inputs.values()), 0)
    if labels is not None and labels.ndim and length[id(labels)] != examples and of_inputs:
        raise NotMeasured("data", f"{path}: {length[id(labels)]} labels for {examples} examples. Every example needs one.")
    least = min([len(each) for each in (*arrays.values(), labels) if each is not None and each.ndim], default=0)
    some = {name: each[:least] if each.ndim and name in of_inputs else each for name, each in arrays.items()}
    request = Prepare(
        dataset=msgspec.to_builtins(dataset),
        path=str(path),
        folder=str(loaded.folder),
        labelled=labelled,
        inputs=msgspec.to_builtins(inputs),
        task=loaded.pipeline.model.task if loaded.pipeline.model else None,
        destination="",
        scalars=msgspec.to_builtins(scalars),
        layout=layout,
    )
    whole = msgspec.structs.replace(dataset, limit=None, slices=[])
    try:
        fit_examples(request, whole, some, labels if labels is None or not labels.ndim else labels[:least], str(path))
    except NotMeasured as error:
        said = re.sub(rf"has shape {least}(x|,)", rf"has shape {examples}\1", str(error))
        raise NotMeasured(error.kind, said) from None
