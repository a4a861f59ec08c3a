"""`dataset`: the representative test set, and the calibration set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from gatekeeper.config.named import check_function, check_keys, check_task
from gatekeeper.config.section import Count, Function, Section, Sha256
from gatekeeper.config.sections.also import INHERITED, AlsoSet
from gatekeeper.config.sections.model import TASKS, family, is_text, keys, task_of
from gatekeeper.errors import nearest
from gatekeeper.files import FETCH, check_name, is_pointer
from gatekeeper.models.files import there
from gatekeeper.models.submodules import left_out
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review


METRICS = Registry("evaluate.metrics")
CLASSIFICATION = "classification"
"""The tasks of right and wrong answers, one an example."""


class Image(Section, frozen=True, kw_only=True):
    """How image files become tensors."""

    resize: Annotated[
        Annotated[list[Count], Meta(min_length=2, max_length=2)] | None,
        Meta(description="[height, width] in pixels; default: the files' own size."),
    ] = None
    color: Annotated[Literal["rgb", "bgr", "gray"], Meta(description="Channels, in this order.")] = "rgb"
    layout: Annotated[Literal["nchw", "nhwc"], Meta(description="Order of the axes the model expects.")] = "nchw"
    scale: Annotated[float, Meta(gt=0, description="Pixels 0 to 255 are multiplied by this.")] = 1 / 255
    mean: Annotated[list[float], Meta(description="Subtracted after scaling, one value per channel.")] = []
    std: Annotated[
        list[Annotated[float, Meta(gt=0)]], Meta(description="Divided by after subtracting, one value per channel.")
    ] = []


class Dataset(Section, frozen=True, kw_only=True):
    """The representative test set, and the calibration set for static quantization."""

    path: Annotated[
        str | None,
        Meta(
            description="Evaluation set: .npz, .csv, or a folder of images (one subfolder a class, or labels.csv); for "
            "text_generation .txt, or .jsonl with `text`, or `prompt` or `messages` with an `answer`, which may number one of "
            "`choices`, on each line.",
        ),
    ] = None
    loader: Annotated[
        Function | None,
        Meta(description="`package.module:function` returning (inputs, labels); it is imported from this file's folder."),
    ] = None
    calibration: Annotated[
        str | None, Meta(description="Calibration set, same formats as `path`, without labels; never the evaluation set.")
    ] = None
    sha256: Annotated[
        list[Sha256],
        Meta(
            description="What the evaluation set must be, one of these SHA-256: other data is refused. In a "
            "policy it holds every change, whatever that says. Of a file as `sha256sum` prints it; of a folder and of what a "
            "loader returns as a report has it (`data`)."
        ),
    ] = []
    calibration_sha256: Annotated[list[Sha256], Meta(description="The same of the calibration set.")] = []
    code_sha256: Annotated[
        list[Sha256],
        Meta(
            description="What your own code may be: digests of loaders, metric, decode and tests as a report has them. Each "
            "that is used must be one of these."
        ),
    ] = []
    metric: Annotated[
        str | None,
        Meta(
            description=f"{', '.join(METRICS.names)}, or `package.module:function` of (outputs, labels), higher is better.",
        ),
    ] = None
    range: Annotated[
        Annotated[list[float], Meta(min_length=2, max_length=2)] | None,
        Meta(
            description="[least, most] that a metric of your own, or the error of mae, can be on one example: few examples then "
            "show more, as no larger loss need be feared of one that was not seen.",
        ),
    ] = None
    labels: Annotated[str | None, Meta(description="Key (.npz) or column (.csv) of the labels; default: y or labels.")] = None
    annotations: Annotated[
        str | None,
        Meta(
            description="object_detection: COCO's .json with the boxes of a folder of images, in that folder or beside it. "
            "Categories are numbered from 0 in the order of their ids, as detectors do."
        ),
    ] = None
    class_ids: Annotated[bool, Meta(description="The model answers with the ids of the categories themselves.")] = False
    ignore: Annotated[
        int,
        Meta(description="Tasks of several labels an example: the one that is left out, as of padding or of void pixels."),
    ] = -100
    classes: Annotated[
        list[str],
        Meta(
            description="Tasks of several labels an example: names of the classes, in the output's order, for the report; "
            "entity_f1 reads them as tags (O, B-PER, I-PER).",
        ),
    ] = []
    slices: Annotated[
        str | list[str],
        Meta(
            description="What groups the examples, such as a site or a sensor: a key, or several, of an .npz or of a loader's "
            "inputs, or columns of a .csv or labels.csv. No group may lose what a class may not (gate `worst_class`).",
        ),
    ] = []
    inputs: Annotated[dict[str, str], Meta(description="Model input name -> key in the .npz, where the names differ.")] = {}
    axis: Annotated[
        int,
        Meta(ge=0, le=31, description="Axis of the inputs' arrays along which the examples lie; labels have them first."),
    ] = 0
    image: Annotated[Image | None, Meta(description="How image files become tensors.")] = None
    also: Annotated[
        list[AlsoSet],
        Meta(
            description="Further evaluation sets. Every variant is judged on each as on the main one, by the gates accuracy, "
            "worst_class and outputs, with a limit of its own."
        ),
    ] = []
    limit: Annotated[
        Count | None,
        Meta(description="Use only so many examples, drawn from all parts of the set; of a text, so many windows (default 500)."),
    ] = None
    window: Annotated[
        int, Meta(ge=16, le=8192, description="text_generation: tokens in one window, each read from an empty context.")
    ] = 128

    generations: Annotated[
        Annotated[int, Meta(ge=1, le=64)],
        Meta(
            description="text_generation: answers to each prompt; above 1 each is drawn at `temperature`, by chance that is the "
            "same for every model, and a prompt scores the share that is right.",
        ),
    ] = 1
    temperature: Annotated[float, Meta(gt=0, le=10, description="text_generation: at which several generations are drawn.")] = 1.0
    seed: Annotated[int, Meta(ge=0, description="text_generation: decides what several generations draw.")] = 0
    new_tokens: Annotated[
        Count | None,
        Meta(
            description="text_generation: most tokens that are written after a prompt; default: as many as its answer has and 8 "
            "more, and at least 128 for `contains`.",
        ),
    ] = None

    @property
    def sliced_by(self) -> list[str]:
        """What groups the examples, one or several."""
        return [self.slices] if isinstance(self.slices, str) else self.slices


def read_as(main: Dataset, also: AlsoSet) -> Dataset:
    """A further set, as a section of its own."""
    own = {key: value for key in INHERITED if (value := getattr(also, key)) is not None}
    own |= {"metric": also.metric, "range": also.range} if also.metric or also.range else {}
    fresh = {"also": [], "calibration": None, "calibration_sha256": [], "sha256": also.sha256}
    return msgspec.structs.replace(main, path=also.path, loader=also.loader, **fresh, **own)


def problems(review: Review) -> None:
    """Data that is not there, or that would flatter; a metric that there is not, or of another task."""
    if (dataset := review.pipeline.dataset) is None:
        return
    _problems(review, dataset)
    _further(review, dataset)


def _further(review: Review, main: Dataset) -> None:
    """The same of every further set, at its place in the file; and names that are given twice."""
    from gatekeeper.config.meaning import Within, same_file

    folder, names = review.loaded.folder, [each.name.casefold() for each in main.also]
    for index, each in enumerate(main.also):
        place = ("dataset", "also", index)
        if each.name.casefold() in names[:index]:
            review.add((*place, "name"), f"the evaluation set '{each.name}' is named twice. Names must differ.")
        if each.path and main.calibration and same_file(folder / each.path, folder / main.calibration):
            said = "the calibration set must not be an evaluation set: accuracy would flatter. Split them."
            review.add((*place, "path"), said)
        _problems(Within(review, place), read_as(main, each))


def _problems(review: Review, dataset: Dataset) -> None:
    from gatekeeper.config.meaning import same_file

    folder = review.loaded.folder
    if (dataset.path is None) == (dataset.loader is None):
        review.add(("dataset",), "dataset needs `path` or `loader`, one of them.", key=True)
    for key in ("path", "calibration"):
        value = getattr(dataset, key)
        if value is not None and (said := left_out(folder / value)):
            review.add(("dataset", key), said)
        elif value is not None and not there(folder / value):
            review.add(("dataset", key), f"no such dataset: {folder / value}. Correct the path.")
        elif value is not None:
            check_name(folder / value)
            if is_pointer(folder / value):
                review.add(("dataset", key), f"{folder / value} is a Git LFS pointer, not the data. {FETCH}")
    if dataset.path is not None and there(folder / dataset.path):
        check_keys(review, ("dataset", "slices"), dataset.sliced_by, folder / dataset.path)
        check_keys(review, ("dataset", "labels"), [dataset.labels] if dataset.labels else [], folder / dataset.path)
        for name, key in dataset.inputs.items():
            check_keys(review, ("dataset", "inputs", name), [key], folder / dataset.path)
    if dataset.loader is not None and dataset.path is None:
        check_function(review, ("dataset", "loader"), dataset.loader)
    if dataset.path and dataset.calibration and same_file(folder / dataset.path, folder / dataset.calibration):
        said = "the calibration set must not be the evaluation set: accuracy would flatter. Split them."
        review.add(("dataset", "calibration"), said)
    if dataset.annotations is not None:
        _annotations(review, dataset)
    if dataset.metric is not None:
        _metric(review, dataset.metric)
    _several(review, dataset)
    if dataset.range is not None:
        _range(review, dataset.range, dataset.metric)
    if dataset.sliced_by:
        _slices(review, dataset)
    if dataset.generations > 1 and dataset.metric in ("perplexity", "acc", "acc_norm"):
        said = f"{dataset.metric} reads likelihoods and draws no answers. Leave generations at 1, or use exact_match or contains."
        review.add(("dataset", "generations"), said)


def _annotations(review: Review, dataset: Dataset) -> None:
    check_task(review, ("dataset", "annotations"), "boxes", "object_detection", task_of(review))
    images = review.loaded.folder / (dataset.path or "")
    name = dataset.annotations or ""
    if dataset.path is not None and there(images) and not (there(images / name) or there(images.parent / name)):
        said = f"no such file: {images / name} or {images.parent / name}. Correct the path."
        review.add(("dataset", "annotations"), said)


def _metric(review: Review, metric: str) -> None:
    task = task_of(review)
    text = task is not None and is_text(task)
    if metric not in METRICS.names and not text:
        if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", metric):
            check_function(review, ("dataset", "metric"), metric)
        else:
            allowed = f"Allowed: {', '.join(METRICS.names)}, or package.module:function."
            review.add(("dataset", "metric"), f"dataset.metric is '{metric}'{nearest(metric, METRICS.names) or '.'} {allowed}")
        return
    if task and not (metric in METRICS.names and family(task) == METRICS.get(metric).FAMILY):
        own = (m for m in METRICS.names if family(task) == METRICS.get(m).FAMILY)
        fitting = sorted(own, key=lambda m: not METRICS.get(m).DEFAULT)
        which = task if text else f"the task {task}"
        review.add(("dataset", "metric"), f"'{metric}' does not fit {which}. Use {', '.join(fitting)}.")


def _range(review: Review, span: list[float], metric: str | None) -> None:
    if not span[0] < span[1]:
        review.add(("dataset", "range"), f"[{span[0]:g}, {span[1]:g}] is no range. Write the least value first.")
    elif metric != "mae" and (metric is None or metric in METRICS.names):
        said = f"a range is for a metric of your own and for mae, not for {metric or 'the default'}. Remove it."
        review.add(("dataset", "range"), said)


def _several(review: Review, dataset: Dataset) -> None:
    """What only tasks of several labels an example read."""
    task = (
        task_of(review)
        or (dataset.metric in METRICS.names and METRICS.get(dataset.metric or "").FAMILY)
        or "tabular_classification"
    )
    for key in ("ignore", "classes"):
        if getattr(dataset, key) != getattr(Dataset(), key) and task in TASKS.names and key not in keys(task):
            fitting = ", ".join(name for name in TASKS.names if key in keys(name))
            review.add(
                ("dataset", key), f"`dataset.{key}` is read for {fitting}, not for {task}. Remove it, or correct the task."
            )
    if twice := sorted({name for name in dataset.classes if dataset.classes.count(name) > 1}):
        review.add(("dataset", "classes"), f"the class '{twice[0]}' is named twice. Names must differ.")
    if dataset.metric == "entity_f1" and not dataset.classes:
        said = "entity_f1 reads tags: name the classes in the output's order, `dataset: {classes: [O, B-PER, I-PER]}`."
        review.add(("dataset", "metric"), said)


SLICED = (CLASSIFICATION, "object_detection")
"""Families of metrics whose right answers are counted by group."""


def _slices(review: Review, dataset: Dataset) -> None:
    for name in {each for each in dataset.sliced_by if dataset.sliced_by.count(each) > 1}:
        review.add(("dataset", "slices"), f"'{name}' is named twice. Remove one.")
    task, metric = task_of(review), dataset.metric
    kind = family(task) if task else CLASSIFICATION
    if metric:
        kind = METRICS.get(metric).FAMILY if metric in METRICS.names else ""
    if kind not in SLICED:
        said = f"slices count right and wrong answers, which {metric or task} does not give. Remove them, or judge by accuracy."
        review.add(("dataset", "slices"), said)
