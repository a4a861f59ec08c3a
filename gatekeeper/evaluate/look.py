"""A look at the data before anything is run: what `run` would refuse after it has made and measured, said at once.

Small sets are read whole; of a large one a few examples, the first and the last among them, however large the file is. What its
labels have to be is told by the shapes of the model's outputs.
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
from gatekeeper.config.source import Path_
from gatekeeper.errors import GatekeeperError, NotMeasured, Problem
from gatekeeper.evaluate.look_labels import refused
from gatekeeper.evaluate.look_some import some_examples
from gatekeeper.evaluate.metrics._base import CLASSIFICATION, REGRESSION, family
from gatekeeper.evaluate.prepare import Prepare, as_read, fit_examples
from gatekeeper.evaluate.reading import reading_of
from gatekeeper.evaluate.tasks._base import judged_as, named_by
from gatekeeper.evaluate.text.asked import Asked, Prompt
from gatekeeper.evaluate.text.questions import metric_of
from gatekeeper.evaluate.text.rows import read_rows
from gatekeeper.frameworks._base import TEXT_FORMATS
from gatekeeper.models.files import assess, model_format
from gatekeeper.models.info import Assessment

FORMATS = ("onnx", "openvino_ir")


def data_problems(loaded: Loaded) -> list[Problem]:
    """What does not fit the model in the sets of a pipeline file, with its place; of a loader's nothing is known."""
    dataset, path = loaded.pipeline.dataset, loaded.model_path()
    if dataset is None or path is None or model_format(path) not in (*FORMATS, *TEXT_FORMATS):
        return []
    try:
        model = asked_as(loaded, assess(path))
    except GatekeeperError:  # the run says what is wrong with it
        return []
    review = Review(loaded)
    for key in ("path", "calibration"):
        name = getattr(dataset, key)
        if name is not None:
            _add(review, ("dataset", key), loaded, dataset, model, loaded.folder / name, labelled=key == "path")
    for index, also in enumerate(dataset.also):
        own = for_set(loaded, also)
        about = own.pipeline.dataset
        if about is not None and also.path is not None:
            _add(review, ("dataset", "also", index, "path"), own, about, model, loaded.folder / also.path, labelled=True)
    return review.problems


def _add(
    review: Review, place: Path_, loaded: Loaded, dataset: Dataset, model: Assessment, path: Path, *, labelled: bool
) -> None:
    try:
        if model.format in TEXT_FORMATS:
            _look_at_text(dataset, path, labelled)
        else:
            _look(loaded, dataset, model, path, labelled)
    except NotMeasured as error:
        review.add(place, str(error))


def _look_at_text(dataset: Dataset, path: Path, labelled: bool) -> None:
    """Lines that are not as they are read, and none that the metric scores."""
    rows = read_rows(path)
    if labelled:
        asked = [Prompt(name=row.name, tokens=[], choices=[[0]] * len(row.choices)) for row in rows if not row.text]
        metric_of(Asked(prompts=asked), dataset.metric)


def _look(loaded: Loaded, dataset: Dataset, model: Assessment, path: Path, labelled: bool) -> None:
    """Raise what reading the whole set would, as far as what is looked at tells."""
    layout = layout_of(loaded, model)
    seen = layout.seen(model)
    inputs, scalars = seen.inputs, layout.untold(model)
    some = some_examples(path, dataset, inputs, scalars, labelled)
    if some is None:
        return
    stated = loaded.pipeline.model.task if loaded.pipeline.model else None
    judged, labels = judged_as(stated, dataset.metric), some.labels
    if labels is not None and some.whole:  # of a few nothing can be said that takes all
        labels = judged.label(labels, dataset, str(path))
    arrays, few, names = some.arrays, labels, {each.name for each in inputs}
    if not dataset.axis:
        lengths = [len(each) for each in (*arrays.values(), few) if each is not None and each.ndim]
        least = min(lengths, default=0)
        arrays = {name: each[:least] if each.ndim and name in names else each for name, each in arrays.items()}
        few = few[:least] if few is not None and few.ndim else few
    request = Prepare(
        dataset=msgspec.to_builtins(dataset),
        path=str(path),
        folder=str(loaded.folder),
        labelled=labelled,
        inputs=msgspec.to_builtins(inputs),
        task=None,  # whose labels are read as such above
        destination="",
        scalars=msgspec.to_builtins(scalars),
        layout=layout,
    )
    whole = msgspec.structs.replace(dataset, limit=None, slices=[])
    try:
        fitted = fit_examples(request, whole, dict(arrays), few, str(path))
    except NotMeasured as error:
        said = str(error)
        if not dataset.axis:
            shown = "?" if some.examples is None else some.examples
            said = re.sub(rf"has shape {least}(x|,)", rf"has shape {shown}\1", said)
        raise NotMeasured(error.kind, said) from None
    metric = dataset.metric
    if labels is None or not labels.ndim or (layout.carries and stated is None) or not (metric is None or family(metric)):
        return
    if some.whole or judged.FAMILY in (CLASSIFICATION, REGRESSION):
        task = stated or (named_by(metric) if metric else None)
        labels = as_read(labels, dataset.ignore)
        reading = reading_of(loaded, task, labels.shape[1:])
        output = loaded.pipeline.model.output if loaded.pipeline.model else None
        if why := refused(judged, seen, fitted.inputs, labels, reading, output):
            raise NotMeasured("data", f"{path}: {why}")
