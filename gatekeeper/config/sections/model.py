"""`model`: the model under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.named import check_outputs
from gatekeeper.config.section import Section, one_of
from gatekeeper.config.sections import boxes, symbols
from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.config.sections.symbols import Symbols
from gatekeeper.frameworks._base import TEXT_FORMATS
from gatekeeper.models.adapters import adapter
from gatekeeper.models.files import model_format, there, unknown_format
from gatekeeper.models.submodules import left_out
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review


TASKS = Registry("evaluate.tasks")
TEXT_TASK = "text_generation"
"""What a model of text does where nothing is said."""

if TYPE_CHECKING:
    TaskName = str
else:
    TaskName = one_of(TASKS.names)


class Model(Section, frozen=True, kw_only=True):
    """The model under test. It may also be given on the command line with `--model`."""

    path: Annotated[
        str,
        Meta(min_length=1, description="Model, relative to this file: .onnx, .xml (OpenVINO), .gguf, or a Hugging Face folder."),
    ]
    task: Annotated[
        TaskName | None,
        Meta(description="What the model does; decides the default metric. Default: text_generation for .gguf and folders."),
    ] = None
    output: Annotated[
        str | None, Meta(description="Name of the output that is judged; default: the first that fits the task.")
    ] = None
    boxes: Annotated[Boxes | None, Meta(description="object_detection: how boxes lie in the outputs.")] = None
    symbols: Annotated[Symbols | None, Meta(description="transcription: what classes or ids write.")] = None
    class_axis: Annotated[
        Annotated[int, Meta(ge=1, le=31)] | None,
        Meta(
            description="Axis of the judged output that holds the scores of its classes, counted from 0, which is that of the "
            "examples; default: what the labels' shape, or the names of the classes, tell.",
        ),
    ] = None


def problems(review: Review) -> None:
    """A model that is not there, is none, or is of another kind than its task."""
    model, path = review.pipeline.model, review.loaded.model_path()
    if model is None or path is None:
        return
    if review.loaded.model_override is None:
        if said := left_out(path):
            review.add(("model", "path"), said)
        elif not there(path):
            hint = " Run make_model.py beside it first." if there(path.parent / "make_model.py") else ""
            review.add(("model", "path"), f"no such model: {path}.{hint} Correct the path or export the model.")
        elif model_format(path) is None:
            review.add(("model", "path"), unknown_format(path))
        elif said := adapter(path):
            review.add(("model", "path"), f"{path}: {said}")
    if model.output is not None:
        check_outputs(review, ("model", "output"), [model.output])
    for section in (boxes, symbols):
        section.problems(review)
    kind = model_format(path)
    text = model.task is not None and is_text(model.task)
    if kind is not None and model.task is not None and text != (kind in TEXT_FORMATS):
        takes = "a Hugging Face folder or .gguf" if text else "a tensor model, such as .onnx"
        review.add(("model", "task"), f"{model.task} takes {takes}; {path} is {kind}. Correct the task or the model.")


def is_text(task: str) -> bool:
    """Whether a task is one of text that is written."""
    return bool(TASKS.get(task).ANSWERS == "text")


def keys(task: str) -> tuple[str, ...]:
    """Which of `ignore` and `classes` of the dataset a task reads."""
    own = TASKS.get(task)
    return tuple(getattr(own, "KEYS", ("ignore", "classes") if own.ANSWERS == "classes" else ()))


def family(task: str) -> str:
    """Which metrics judge a task."""
    return str(TASKS.get(task).FAMILY)


def task_of(review: Review) -> str | None:
    """What the model does, said or known from its format."""
    if review.pipeline.model and review.pipeline.model.task:
        return review.pipeline.model.task
    path = review.loaded.model_path()
    return TEXT_TASK if path and model_format(path) in TEXT_FORMATS else None
